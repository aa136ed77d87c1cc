/*
 * Prints the SHA-256 digests of files, or of standard input, as coreutils' sha256sum does. A plain C program: it knows nothing of
 * WebAssembly, and opens the files that it is granted.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* FIPS 180-4: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

typedef struct {
  uint32_t state[8];
  uint8_t block[64];
  uint64_t length; /* in bytes */
} sha256_t;

static uint32_t rotate(uint32_t word, unsigned bits) { return word >> bits | word << (32 - bits); }

static void start(sha256_t *hash) {
  /* The same of the square roots of the first 8 primes. */
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, initial, sizeof initial);
  hash->length = 0;
}

static void compress(uint32_t state[8], const uint8_t block[64]) {
  uint32_t w[64], s[8];

  for (int i = 0; i < 16; i++) w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t near = w[i - 2], far = w[i - 15];
    w[i] = w[i - 16] + (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) + w[i - 7] + (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10);
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]), majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    uint32_t first = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice + K[i] + w[i];
    uint32_t second = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += first;
    s[0] = first + second;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

static void add(sha256_t *hash, const uint8_t *bytes, size_t count) {
  while (count > 0) {
    size_t filled = hash->length % 64, taken = count < 64 - filled ? count : 64 - filled;
    memcpy(hash->block + filled, bytes, taken);
    hash->length += taken;
    bytes += taken;
    count -= taken;
    if (hash->length % 64 == 0) compress(hash->state, hash->block);
  }
}

/* Pads with a one bit, zeros and the length in bits, up to a whole block. */
static void finish(sha256_t *hash) {
  uint64_t bits = hash->length * 8;
  uint8_t length[8];

  add(hash, (const uint8_t[]){0x80}, 1);
  while (hash->length % 64 != 56) add(hash, (const uint8_t[]){0}, 1);
  for (int i = 0; i < 8; i++) length[i] = bits >> (56 - 8 * i);
  add(hash, length, sizeof length);
}

/* Whether the file could be read to its end; else `errno` says why not. */
static int print_digest(FILE *file, const char *name) {
  uint8_t buffer[4096];
  sha256_t hash;
  size_t count;

  start(&hash);
  while ((count = fread(buffer, 1, sizeof buffer, file)) > 0) add(&hash, buffer, count);
  if (ferror(file)) return 0;
  finish(&hash);
  for (int i = 0; i < 8; i++) printf("%08x", (unsigned)hash.state[i]);
  printf("  %s\n", name);
  return 1;
}

int main(int argc, char **argv) {
  int status = 0;

  if (argc < 2) return print_digest(stdin, "-") ? 0 : 1;
  for (int i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    if (!file || !print_digest(file, argv[i])) {
      fprintf(stderr, "checksum: %s: %s\n", argv[i], strerror(errno));
      status = 1;
    }
    if (file) fclose(file);
  }
  return status;
}
