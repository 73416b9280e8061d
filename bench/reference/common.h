// What the four reference programs share: arguments, sockets, clocks.
//
// The programs are the yardstick for geysir, so they are what a careful C programmer would write, and no more: plain
// blocking sockets for bulk traffic, epoll for ping-pong, the same socket buffers and the same work on each payload as
// every other contender (see README.md).
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Missing from the headers of older C libraries; kernel ABI (udp(7)).
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
  MAX_DATAGRAM_BYTES = 65507,  // 65,535 less the IPv4 and UDP headers
  // The kernel segments in software, twelve times slower, what is not shorter than the device's gso_max_size of 65,536
  // with its Ethernet, IPv4 and UDP headers (gso_features_check in net/core/dev.c).
  MAX_COALESCED_BYTES = 65493,
  MAX_SEGMENTS = 64,  // UDP_MAX_SEGMENTS, until Linux 6.8
  MAX_BATCH = 1024,   // UIO_MAXIOV: what sendmmsg(2) and recvmmsg(2) accept
  DEFAULT_RECEIVE_BUFFER_BYTES = 4 << 20,
};

struct options {
  struct sockaddr_in address;
  size_t bytes;
  double amount;   // seconds; round trips for udp-ping
  double warm_up;  // in the unit of `amount`
  bool offload;
  unsigned int batch;  // messages a system call; 0: the program's default
  int receive_buffer_bytes;
};

static volatile sig_atomic_t stopped = 0;

static inline void stop(int signal_number) {
  (void)signal_number;
  stopped = 1;
}

// SIGTERM ends a run early, with its figures.
static inline void stop_on_sigterm(void) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
}

static inline void fail(const char* what) {
  perror(what);
  exit(1);
}

static inline void fail_usage(const char* program, const char* usage) {
  fprintf(stderr, "usage: %s %s\n", program, usage);
  exit(2);
}

static inline double number(const char* text, double minimum, double maximum, const char* program, const char* usage) {
  char* end;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= minimum && value <= maximum)) fail_usage(program, usage);
  return value;
}

static inline struct options parse_options(int argc, char** argv, const char* usage) {
  static const struct option names[] = {
      {"offload", no_argument, NULL, 'o'},
      {"batch", required_argument, NULL, 'b'},
      {"warm-up", required_argument, NULL, 'w'},
      {"receive-buffer", required_argument, NULL, 'r'},
      {0},
  };
  struct options options = {.address = {.sin_family = AF_INET}, .receive_buffer_bytes = DEFAULT_RECEIVE_BUFFER_BYTES};
  for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    if (name == 'o')
      options.offload = true;
    else if (name == 'b')
      options.batch = (unsigned int)number(optarg, 1, MAX_BATCH, argv[0], usage);
    else if (name == 'w')
      options.warm_up = number(optarg, 0, 1e9, argv[0], usage);
    else if (name == 'r')
      options.receive_buffer_bytes = (int)number(optarg, 1, INT32_MAX / 2, argv[0], usage);
    else
      fail_usage(argv[0], usage);
  }
  if (argc - optind != 4 || inet_pton(AF_INET, argv[optind], &options.address.sin_addr) != 1)
    fail_usage(argv[0], usage);
  options.address.sin_port = htons((uint16_t)number(argv[optind + 1], 0, UINT16_MAX, argv[0], usage));
  options.bytes = (size_t)number(argv[optind + 2], 1, MAX_DATAGRAM_BYTES, argv[0], usage);
  options.amount = number(argv[optind + 3], 0, 1e9, argv[0], usage);
  return options;
}

// No SO_RCVBUFFORCE: node:dgram cannot use it, and all contenders must have the same buffer.
static inline int udp_socket(const struct options* options) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const int* bytes = &options->receive_buffer_bytes;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, bytes, sizeof(*bytes)) < 0) fail("setsockopt SO_RCVBUF");
  return fd;
}

static inline int receive_buffer_bytes(int fd) {
  int bytes = 0;
  socklen_t size = sizeof(bytes);
  if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size) < 0) fail("getsockopt SO_RCVBUF");
  return bytes;
}

// Binds and says where, as the first line of output.
static inline void bind_and_announce(int fd, const struct options* options) {
  struct sockaddr_in local = options->address;
  socklen_t size = sizeof(local);
  if (bind(fd, (struct sockaddr*)&local, size) < 0) fail("bind");
  if (getsockname(fd, (struct sockaddr*)&local, &size) < 0) fail("getsockname");
  printf("{\"port\":%d,\"receiveBufferBytes\":%d}\n", ntohs(local.sin_port), receive_buffer_bytes(fd));
  fflush(stdout);
}

static inline int connected_socket(const struct options* options) {
  const int fd = udp_socket(options);
  if (connect(fd, (const struct sockaddr*)&options->address, sizeof(options->address)) < 0) fail("connect");
  return fd;
}

static inline double now_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static inline double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static inline void* allocate(size_t count, size_t bytes) {
  void* memory = calloc(count, bytes);
  if (memory == NULL) fail("calloc");
  return memory;
}
