// Answers every datagram with itself, one at a time, from a level-triggered epoll loop, until SIGTERM.
//
//   udp-echo host port bytes seconds
#define _GNU_SOURCE
#include "common.h"

#include <sys/epoll.h>

static const char usage[] = "host port bytes seconds";

static void answer(int fd, uint8_t* payload, size_t capacity) {
  struct sockaddr_in peer;
  socklen_t peer_bytes = sizeof(peer);
  const ssize_t length = recvfrom(fd, payload, capacity, MSG_DONTWAIT, (struct sockaddr*)&peer, &peer_bytes);
  if (length < 0) {
    if (errno != EAGAIN && errno != EINTR) fail("recvfrom");
    return;
  }
  if (sendto(fd, payload, (size_t)length, MSG_DONTWAIT, (struct sockaddr*)&peer, peer_bytes) < 0 && errno != EAGAIN) {
    fail("sendto");
  }
}

int main(int argc, char** argv) {
  const struct options options = parse_options(argc, argv, usage);
  stop_on_sigterm();
  const int fd = udp_socket(&options);
  bind_and_announce(fd, &options);
  uint8_t* payload = allocate(1, options.bytes);

  const int poll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll");
  const double end = now_seconds() + options.amount;
  while (!stopped && now_seconds() < end) {
    const int ready = epoll_wait(poll, &event, 1, 1000);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    if (ready > 0) answer(fd, payload, options.bytes);
  }
  return 0;
}
