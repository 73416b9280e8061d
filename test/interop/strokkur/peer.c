// A peer for the classic format, written from docs/wire/strokkur.md alone.
//
//   peer send HOST PORT FILE ROWS HASH [original] [lose=i,j,…]
//     Sends FILE: its chunks, the all-ones row, ROWS - 1 random rows. HASH is the digest in hexadecimal. With "original" it has the
//     defects of the published program: no hash, a mask of the all-ones row with one bit a word, redundant chunks cut to the length of
//     the last one. "lose" leaves out datagrams, counted from 0.
//   peer receive FILE
//     Prints the port, receives one message into FILE, and prints its hash, and how many chunks came.
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CHUNK = 8192, HEADER = 128, MAX_CHUNKS = 512, WORDS = 16, MAX_ROWS = 600 };

static uint8_t message[MAX_CHUNKS * CHUNK];
static uint8_t rows[MAX_ROWS][CHUNK];
static uint32_t masks[MAX_ROWS][WORDS];

static void put(uint8_t *at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; i--) value = value << 8 | at[i];
  return value;
}

static int bit(const uint32_t *mask, int i) {
  return mask[i / 32] >> (i % 32) & 1;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// Every column into half of the rows, rounded up.
static void draw(int first, int count, int chunks) {
  for (int column = 0; column < chunks; column++) {
    for (int chosen = 0; chosen < (count + 1) / 2;) {
      uint32_t *mask = masks[first + rand() % count];
      if (bit(mask, column)) continue;
      mask[column / 32] |= 1U << (column % 32);
      chosen++;
    }
  }
}

static int send_message(int argc, char **argv) {
  int original = 0;
  const char *lose = "";
  for (int i = 7; i < argc; i++) {
    if (strcmp(argv[i], "original") == 0) original = 1;
    if (strncmp(argv[i], "lose=", 5) == 0) lose = argv[i] + 5;
  }
  FILE *file = fopen(argv[4], "rb");
  if (file == NULL) fail(argv[4]);
  int bytes = (int)fread(message, 1, sizeof(message), file);
  fclose(file);
  int chunks = (bytes + CHUNK - 1) / CHUNK;
  int redundant = atoi(argv[5]);
  if (chunks > 1 && redundant > 0) {
    for (int i = 0; i < chunks; i++) masks[0][i / 32] |= 1U << (i % 32);
    if (original) {
      for (int word = 0; word < WORDS; word++) {
        for (int i = 31; i > 0 && masks[0][word] != 0; i--) {
          if (masks[0][word] >> i & 1) {
            masks[0][word] = 1U << i;
            break;
          }
        }
      }
    }
    if (redundant > 1) draw(1, redundant - 1, chunks);
  }
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  inet_pton(AF_INET, argv[2], &to.sin_addr);
  if (connect(s, (struct sockaddr *)&to, sizeof(to)) != 0) fail("connect");
  struct timeval now;
  gettimeofday(&now, NULL);
  uint8_t datagram[HEADER + CHUNK] = {0};
  put(datagram, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec, 8);
  for (int i = 0; i < 16; i++) datagram[8 + i] = (uint8_t)rand();
  for (int i = 0; i < 32 && !original; i++) {
    unsigned byte = 0;
    sscanf(argv[6] + 2 * i, "%2x", &byte);
    datagram[24 + i] = (uint8_t)byte;
  }
  put(datagram + 56, (uint64_t)bytes, 4);
  put(datagram + 60, (uint64_t)chunks, 2);
  int last = bytes - (chunks - 1) * CHUNK;
  for (int n = 0; n < chunks + redundant; n++) {
    uint32_t mask[WORDS] = {0};
    uint8_t payload[CHUNK] = {0};
    int length = CHUNK;
    if (n < chunks || chunks == 1) {
      int i = chunks == 1 ? 0 : n;
      mask[i / 32] = 1U << (i % 32);
      length = i == chunks - 1 ? last : CHUNK;
    } else {
      memcpy(mask, masks[n - chunks], sizeof(mask));
      if (original) length = last;
    }
    for (int i = 0; i < chunks; i++) {
      if (!bit(mask, i)) continue;
      for (int j = 0; j < CHUNK && i * CHUNK + j < bytes; j++) payload[j] ^= message[i * CHUNK + j];
    }
    put(datagram + 62, (uint64_t)length, 2);
    for (int i = 0; i < WORDS; i++) put(datagram + 64 + 4 * i, mask[i], 4);
    memcpy(datagram + HEADER, payload, (size_t)length);
    int lost = 0;
    for (const char *at = lose; *at != 0; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) lost |= atoi(at) == n;
    if (!lost && send(s, datagram, (size_t)(HEADER + length), 0) < 0) fail("send");
    usleep(200);
  }
  return 0;
}

// Gauss-Jordan over what came: each row is its mask and its payload.
static int solve(int count, int chunks) {
  int rank = 0;
  for (int column = 0; column < chunks; column++) {
    int pivot = rank;
    while (pivot < count && !bit(masks[pivot], column)) pivot++;
    if (pivot == count) return 0;
    for (int i = 0; i < WORDS; i++) {
      uint32_t word = masks[pivot][i];
      masks[pivot][i] = masks[rank][i];
      masks[rank][i] = word;
    }
    for (int i = 0; i < CHUNK; i++) {
      uint8_t byte = rows[pivot][i];
      rows[pivot][i] = rows[rank][i];
      rows[rank][i] = byte;
    }
    for (int row = 0; row < count; row++) {
      if (row == rank || !bit(masks[row], column)) continue;
      for (int i = 0; i < WORDS; i++) masks[row][i] ^= masks[rank][i];
      for (int i = 0; i < CHUNK; i++) rows[row][i] ^= rows[rank][i];
    }
    rank++;
  }
  return 1;
}

static int receive_message(const char *path) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int buffer = 8 << 20;
  setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
  if (bind(s, (struct sockaddr *)&here, sizeof(here)) != 0) fail("bind");
  socklen_t length = sizeof(here);
  getsockname(s, (struct sockaddr *)&here, &length);
  printf("%d\n", ntohs(here.sin_port));
  fflush(stdout);
  struct timeval patience = {.tv_sec = 10};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  int count = 0, chunks = 0, bytes = 0;
  uint8_t first[62];
  for (;;) {
    uint8_t datagram[HEADER + CHUNK + 1];
    ssize_t got = recv(s, datagram, sizeof(datagram), 0);
    if (got < 0) fail("recv");
    if (got == 0) continue;  // what a test leaves out
    if (got < HEADER || got > HEADER + CHUNK || get(datagram + 62, 2) != (uint64_t)(got - HEADER)) {
      fprintf(stderr, "a chunk of %zd bytes that says %llu\n", got, (unsigned long long)get(datagram + 62, 2));
      return 1;
    }
    if (count == 0) memcpy(first, datagram, sizeof(first));
    if (memcmp(first, datagram, sizeof(first)) != 0) {
      fprintf(stderr, "headers disagree\n");
      return 1;
    }
    bytes = (int)get(datagram + 56, 4);
    chunks = (int)get(datagram + 60, 2);
    if (chunks != (bytes + CHUNK - 1) / CHUNK) return 1;
    for (int i = 0; i < WORDS; i++) masks[count][i] = (uint32_t)get(datagram + 64 + 4 * i, 4);
    memset(rows[count], 0, CHUNK);
    memcpy(rows[count], datagram + HEADER, (size_t)(got - HEADER));
    count++;
    if (count >= chunks) {
      static uint32_t kept_masks[MAX_ROWS][WORDS];
      static uint8_t kept_rows[MAX_ROWS][CHUNK];
      memcpy(kept_masks, masks, sizeof(masks));
      memcpy(kept_rows, rows, sizeof(rows));
      if (solve(count, chunks)) break;
      memcpy(masks, kept_masks, sizeof(masks));
      memcpy(rows, kept_rows, sizeof(rows));
    }
    if (count == MAX_ROWS) return 1;
  }
  FILE *file = fopen(path, "wb");
  if (file == NULL) fail(path);
  for (int i = 0; i < chunks; i++) fwrite(rows[i], 1, (size_t)(i == chunks - 1 ? bytes - i * CHUNK : CHUNK), file);
  fclose(file);
  for (int i = 0; i < 32; i++) printf("%02x", first[24 + i]);
  printf(" %d\n", count);
  return 0;
}

int main(int argc, char **argv) {
  if (argc >= 7 && strcmp(argv[1], "send") == 0) return send_message(argc, argv);
  if (argc == 3 && strcmp(argv[1], "receive") == 0) return receive_message(argv[2]);
  fprintf(stderr, "see the head of peer.c\n");
  return 2;
}
