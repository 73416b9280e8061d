// Measures round trips to an echo: one datagram in flight, from a level-triggered epoll loop.
//
//   udp-ping host port bytes round-trips [--warm-up round-trips]
//
// A lost datagram ends the run with an error: on the paths measured here none is lost.
#define _GNU_SOURCE
#include "common.h"

#include <sys/epoll.h>

static const char usage[] = "host port bytes round-trips [--warm-up round-trips]";

enum { LOST_MS = 2000 };

static int compare_numbers(const void* left, const void* right) {
  const double difference = *(const double*)left - *(const double*)right;
  return difference < 0 ? -1 : difference > 0;
}

static void send_ping(int fd, const uint8_t* payload, size_t bytes) {
  if (send(fd, payload, bytes, MSG_DONTWAIT) < 0) fail("send");
}

static void wait_for_echo(int fd, int poll, uint8_t* payload, size_t bytes) {
  for (;;) {
    struct epoll_event event;
    const int ready = epoll_wait(poll, &event, 1, LOST_MS);
    if (ready == 0) {
      fprintf(stderr, "no echo in %d ms\n", LOST_MS);
      exit(1);
    }
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    if (ready > 0 && recv(fd, payload, bytes, MSG_DONTWAIT) >= 0) return;
    if (ready > 0 && errno != EAGAIN) fail("recv");
  }
}

int main(int argc, char** argv) {
  const struct options options = parse_options(argc, argv, usage);
  const int fd = connected_socket(&options);
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll");

  const size_t warm_up = (size_t)options.warm_up;
  const size_t count = (size_t)options.amount;
  if (count == 0) fail_usage(argv[0], usage);
  uint8_t* payload = allocate(1, options.bytes);
  double* times_us = allocate(count, sizeof(*times_us));
  // One clock reading a round trip, as the other pings do: the end of one is the start of the next.
  double previous = now_seconds();
  for (size_t i = 0; i < warm_up + count; i++) {
    send_ping(fd, payload, options.bytes);
    wait_for_echo(fd, poll, payload, options.bytes);
    const double now = now_seconds();
    if (i >= warm_up) times_us[i - warm_up] = (now - previous) * 1e6;
    previous = now;
  }

  qsort(times_us, count, sizeof(*times_us), compare_numbers);
  printf("{\"medianUs\":%.3f,\"p99Us\":%.3f,\"count\":%zu,\"cpuSeconds\":%.6f}\n", times_us[count / 2],
         times_us[count * 99 / 100], count, cpu_seconds());
  return 0;
}
