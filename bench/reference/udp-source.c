// Sends datagrams of one size as fast as the kernel takes them.
//
//   udp-source host port bytes seconds [--offload] [--batch messages]
//
// With --offload a message is up to 64 datagrams that the kernel cuts apart (UDP_SEGMENT). A path that refuses it,
// because the datagrams do not fit its MTU or the device cannot, gets single datagrams, and the result says
// "offload":false.
#define _GNU_SOURCE
#include "common.h"

static const char usage[] = "host port bytes seconds [--offload] [--batch messages]";

enum {
  DEFAULT_BATCH = 64,
  DEFAULT_OFFLOAD_BATCH = 8,  // 512 KiB of payload: more leaves the caches, less gains nothing
};

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(uint16_t))];
};

struct source {
  int fd;
  bool offload;
  size_t datagram_bytes;
  unsigned int batch;     // messages a call
  unsigned int segments;  // datagrams a message
  uint8_t* payload;
  struct mmsghdr* messages;
  struct iovec* vectors;
  union control* controls;
  uint8_t calls;  // wrapping: what is written into the payload
  uint64_t datagrams;
  uint64_t errors;
};

static unsigned int segments_per_message(size_t bytes) {
  const size_t fitting = MAX_COALESCED_BYTES / bytes;
  if (fitting == 0) return 1;
  return fitting < MAX_SEGMENTS ? (unsigned int)fitting : MAX_SEGMENTS;
}

static void write_segment_control(struct msghdr* message, union control* control, size_t segment_bytes) {
  const uint16_t value = (uint16_t)segment_bytes;
  control->header.cmsg_level = SOL_UDP;
  control->header.cmsg_type = UDP_SEGMENT;
  control->header.cmsg_len = CMSG_LEN(sizeof(value));
  memcpy(CMSG_DATA(&control->header), &value, sizeof(value));
  message->msg_control = control;
  message->msg_controllen = sizeof(*control);
}

static void prepare(struct source* source, unsigned int batch) {
  source->segments = source->offload ? segments_per_message(source->datagram_bytes) : 1;
  source->batch = batch != 0 ? batch : source->offload ? DEFAULT_OFFLOAD_BATCH : DEFAULT_BATCH;
  const size_t message_bytes = source->segments * source->datagram_bytes;
  source->payload = allocate(source->batch, message_bytes);
  source->messages = allocate(source->batch, sizeof(*source->messages));
  source->vectors = allocate(source->batch, sizeof(*source->vectors));
  source->controls = allocate(source->batch, sizeof(*source->controls));
  for (unsigned int i = 0; i < source->batch; i++) {
    source->vectors[i] = (struct iovec){source->payload + i * message_bytes, message_bytes};
    struct msghdr* message = &source->messages[i].msg_hdr;
    message->msg_iov = &source->vectors[i];
    message->msg_iovlen = 1;
    if (source->offload) write_segment_control(message, &source->controls[i], source->datagram_bytes);
  }
}

static void release(struct source* source) {
  free(source->payload);
  free(source->messages);
  free(source->vectors);
  free(source->controls);
}

// The work that every source does on every datagram: write its first and its last byte.
static void touch(struct source* source) {
  const uint8_t value = source->calls++;
  const size_t total = (size_t)source->batch * source->segments;
  uint8_t* datagram = source->payload;
  for (size_t i = 0; i < total; i++, datagram += source->datagram_bytes) {
    datagram[0] = value;
    datagram[source->datagram_bytes - 1] = value;
  }
}

// Messages sent, or -1 with errno.
static int send_batch(const struct source* source) {
  if (source->batch > 1) return sendmmsg(source->fd, source->messages, source->batch, 0);
  const ssize_t sent = source->offload ? sendmsg(source->fd, &source->messages[0].msg_hdr, 0)
                                       : send(source->fd, source->payload, source->datagram_bytes, 0);
  return sent < 0 ? -1 : 1;
}

// A short datagram count can only mean EINVAL or EMSGSIZE for a segment that does not fit the MTU; EIO comes from a
// device without checksum offload.
static bool refuses_offload(int error) {
  return error == EINVAL || error == EMSGSIZE || error == EIO;
}

int main(int argc, char** argv) {
  const struct options options = parse_options(argc, argv, usage);
  stop_on_sigterm();
  struct source source = {
      .fd = connected_socket(&options), .offload = options.offload, .datagram_bytes = options.bytes};
  prepare(&source, options.batch);

  const double start = now_seconds();
  while (!stopped && now_seconds() - start < options.amount) {
    touch(&source);
    const int sent = send_batch(&source);
    if (sent >= 0) {
      source.datagrams += (uint64_t)sent * source.segments;
    } else if (source.offload && refuses_offload(errno)) {
      release(&source);
      source.offload = false;
      prepare(&source, options.batch);
    } else if (errno != EINTR) {
      source.errors++;
    }
  }
  const double seconds = now_seconds() - start;

  printf("{\"datagrams\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"errors\":%llu,\"offload\":%s}\n",
         (unsigned long long)source.datagrams, (unsigned long long)(source.datagrams * source.datagram_bytes), seconds,
         cpu_seconds(), (unsigned long long)source.errors, source.offload ? "true" : "false");
  return 0;
}
