// Counts the datagrams that arrive in a window of time.
//
//   udp-sink host port bytes seconds [--offload] [--batch messages] [--warm-up seconds]
//
// Port 0 lets the kernel choose; the first line of output says which port it is. The window opens `warm-up` seconds
// after the first datagram. `kernelDrops` counts what the kernel threw away for want of buffer: messages, not
// datagrams, where it coalesced.
#define _GNU_SOURCE
#include "common.h"

static const char usage[] = "host port bytes seconds [--offload] [--batch messages] [--warm-up seconds]";

enum {
  DEFAULT_BATCH = 64,
  DEFAULT_OFFLOAD_BATCH = 8,  // as in udp-source.c
  COALESCED_BYTES = 65536,    // what UDP_GRO may hand over at once
};
static const double first_datagram_seconds = 30;

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint32_t))];
};

struct sink {
  int fd;
  unsigned int batch;
  size_t slot_bytes;
  uint8_t* slots;
  struct mmsghdr* messages;
  struct iovec* vectors;
  struct sockaddr_in* sources;
  union control* controls;
  uint64_t datagrams;
  uint64_t bytes;
  uint32_t kernel_drops;  // the kernel's counter, as last seen
  uint32_t touched;
};

static void enable(int fd, int level, int name, const char* what) {
  const int on = 1;
  if (setsockopt(fd, level, name, &on, sizeof(on)) < 0) fail(what);
}

static struct sink open_sink(const struct options* options) {
  struct sink sink = {.fd = udp_socket(options)};
  enable(sink.fd, SOL_SOCKET, SO_RXQ_OVFL, "setsockopt SO_RXQ_OVFL");
  if (options->offload) enable(sink.fd, SOL_UDP, UDP_GRO, "setsockopt UDP_GRO");
  const struct timeval poll = {.tv_usec = 100000};  // so that a silent source does not stop the clock
  if (setsockopt(sink.fd, SOL_SOCKET, SO_RCVTIMEO, &poll, sizeof(poll)) < 0) fail("setsockopt SO_RCVTIMEO");

  sink.batch = options->batch != 0 ? options->batch : options->offload ? DEFAULT_OFFLOAD_BATCH : DEFAULT_BATCH;
  sink.slot_bytes = options->offload ? COALESCED_BYTES : options->bytes;
  sink.slots = allocate(sink.batch, sink.slot_bytes);
  sink.messages = allocate(sink.batch, sizeof(*sink.messages));
  sink.vectors = allocate(sink.batch, sizeof(*sink.vectors));
  sink.sources = allocate(sink.batch, sizeof(*sink.sources));
  sink.controls = allocate(sink.batch, sizeof(*sink.controls));
  for (unsigned int i = 0; i < sink.batch; i++) {
    sink.vectors[i] = (struct iovec){sink.slots + i * sink.slot_bytes, sink.slot_bytes};
    struct msghdr* message = &sink.messages[i].msg_hdr;
    message->msg_iov = &sink.vectors[i];
    message->msg_iovlen = 1;
    message->msg_name = &sink.sources[i];
    message->msg_control = &sink.controls[i];
  }
  return sink;
}

// Messages received, or -1 with errno.
static int receive_batch(struct sink* sink) {
  for (unsigned int i = 0; i < sink->batch; i++) {
    sink->messages[i].msg_hdr.msg_namelen = sizeof(*sink->sources);
    sink->messages[i].msg_hdr.msg_controllen = sizeof(*sink->controls);
  }
  if (sink->batch > 1) return recvmmsg(sink->fd, sink->messages, sink->batch, MSG_WAITFORONE, NULL);
  const ssize_t received = recvmsg(sink->fd, &sink->messages[0].msg_hdr, 0);
  if (received < 0) return -1;
  sink->messages[0].msg_len = (unsigned int)received;
  return 1;
}

// Bytes of each datagram in a message that the kernel coalesced; 0 when it is a single one.
static size_t read_control(struct sink* sink, struct msghdr* message) {
  size_t segment_bytes = 0;
  for (struct cmsghdr* control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
    if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
      int value;
      memcpy(&value, CMSG_DATA(control), sizeof(value));
      segment_bytes = (size_t)value;
    } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
      memcpy(&sink->kernel_drops, CMSG_DATA(control), sizeof(sink->kernel_drops));
    }
  }
  return segment_bytes;
}

// The work that every sink does on every datagram: read its first and its last byte.
static void touch(struct sink* sink, const uint8_t* datagram, size_t length) {
  if (length > 0) sink->touched += datagram[0] + datagram[length - 1];
  sink->datagrams++;
  sink->bytes += length;
}

static void consume(struct sink* sink, struct mmsghdr* entry) {
  const uint8_t* payload = entry->msg_hdr.msg_iov->iov_base;
  const size_t length = entry->msg_len;
  const size_t segment_bytes = read_control(sink, &entry->msg_hdr);
  if (segment_bytes == 0) {
    touch(sink, payload, length);
    return;
  }
  for (size_t done = 0; done < length; done += segment_bytes) {
    touch(sink, payload + done, length - done < segment_bytes ? length - done : segment_bytes);
  }
}

struct window {
  double opens;   // 0: no datagram yet
  double opened;  // 0: not yet
  double cpu_at_opening;
  uint32_t drops_at_opening;
};

// The batch that opens the window is not counted: it was received before.
static void open_window_when_due(struct window* window, struct sink* sink, double now, double warm_up) {
  if (window->opens == 0) window->opens = now + warm_up;
  if (window->opened != 0 || now < window->opens) return;
  *window = (struct window){window->opens, now, cpu_seconds(), sink->kernel_drops};
  sink->datagrams = 0;
  sink->bytes = 0;
}

int main(int argc, char** argv) {
  const struct options options = parse_options(argc, argv, usage);
  stop_on_sigterm();
  struct sink sink = open_sink(&options);
  bind_and_announce(sink.fd, &options);

  struct window window = {0};
  const double patience = now_seconds() + first_datagram_seconds;
  double now = now_seconds();
  while (!stopped) {
    const int received = receive_batch(&sink);
    if (received < 0 && errno != EAGAIN && errno != EINTR) fail("receive");
    for (int i = 0; i < received; i++) consume(&sink, &sink.messages[i]);
    now = now_seconds();
    if (window.opens == 0 && received <= 0) {
      if (now > patience) break;
      continue;
    }
    open_window_when_due(&window, &sink, now, options.warm_up);
    if (window.opened != 0 && now - window.opened >= options.amount) break;
  }

  const bool measured = window.opened != 0;
  printf("{\"datagrams\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"kernelDrops\":%u,\"cpuSeconds\":%.6f,\"touched\":%u}\n",
         measured ? (unsigned long long)sink.datagrams : 0, measured ? (unsigned long long)sink.bytes : 0,
         measured ? now - window.opened : 0.0, measured ? sink.kernel_drops - window.drops_at_opening : 0,
         measured ? cpu_seconds() - window.cpu_at_opening : 0.0, sink.touched);
  return 0;
}
