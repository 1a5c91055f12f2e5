// SPDX-License-Identifier: Apache-2.0

// All multiply-accumulate units of a machine at once: a net of the unit is a machine word in which each unit has a bit.
// lanes_unit.h holds the gates (triptych.bitsys.accelerator.lanes makes it from the RTL).
//
// Every unit calls lanes_clock once at a rising edge, with its inputs, and gets what its output registers hold after it.
// Which unit comes first is up to the simulator. So at the first call of an edge the inputs of the edge before, complete by
// then, are clocked in; what the output registers take next follows from the state alone, as no unit answers a token in the
// cycle after it (lanes_unit.h would not have been made).

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace {

constexpr unsigned kLanes = 256;  // of a block
typedef uint64_t Word __attribute__((vector_size(kLanes / 8)));

#include "lanes_unit.h"

struct Block {
  Word state[2][kRegisters];
  Word inputs[kInputs];
  Word outputs[kOutputs];
  uint8_t bytes[4][kLanes];  // a, b, tag, mode
};

std::vector<Block> blocks;
unsigned lanes = 0;
unsigned called = 0;
unsigned now = 0;
bool begun = false;
bool reset_n = false;

// Bit k of 256 bytes as a word.
inline void planes(const uint8_t* bytes, unsigned bits, Word* word) {
  for (unsigned k = 0; k < bits; k++) {
    uint8_t packed[kLanes / 8];
#ifdef __SSE2__
    for (unsigned i = 0; i < kLanes; i += 16) {
      const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
      const uint16_t mask = static_cast<uint16_t>(_mm_movemask_epi8(_mm_slli_epi16(some, static_cast<int>(7 - k))));
      std::memcpy(packed + i / 8, &mask, 2);
    }
#else
    for (unsigned i = 0; i < kLanes; i += 8) {
      unsigned some = 0;
      for (unsigned j = 0; j < 8; j++) some |= static_cast<unsigned>(bytes[i + j] >> k & 1) << j;
      packed[i / 8] = static_cast<uint8_t>(some);
    }
#endif
    std::memcpy(&word[k], packed, sizeof packed);
  }
}

void edge(bool rst_n) {
  const Word all = ~Word{};
  for (Block& block : blocks) {
    if (begun) {
      planes(block.bytes[0], 8, block.inputs + kA);
      planes(block.bytes[1], 8, block.inputs + kB);
      planes(block.bytes[2], 4, block.inputs + kTag);
      planes(block.bytes[3], kModeBits, block.inputs + kMode);
      block.inputs[kReset] = reset_n ? all : Word{};
      step(block.state[now], block.inputs, block.state[1 - now]);
    }
    answer(block.state[begun ? 1 - now : now], rst_n ? all : Word{}, block.outputs);
  }
  if (begun) now = 1 - now;
  begun = true;
  reset_n = rst_n;
}

inline uint64_t bit(const Word& word, unsigned lane) {
  uint64_t part;
  std::memcpy(&part, reinterpret_cast<const char*>(&word) + lane / 64 * 8, 8);
  return part >> (lane % 64) & 1;
}

}  // namespace

extern "C" unsigned lanes_open() {
  if (begun) {
    std::fputs("lanes: a unit was added after the first edge\n", stderr);
    std::abort();
  }
  if (lanes % kLanes == 0) blocks.emplace_back();  // zero, as Verilator starts registers
  return lanes++;
}

extern "C" uint64_t lanes_clock(unsigned lane, unsigned token) {
  if (called == 0) edge(token >> 31);
  if (++called == lanes) called = 0;
  Block& block = blocks[lane / kLanes];
  lane %= kLanes;
  block.bytes[0][lane] = static_cast<uint8_t>(token);
  block.bytes[1][lane] = static_cast<uint8_t>(token >> 8);
  block.bytes[2][lane] = static_cast<uint8_t>(token >> 16 & 15);
  block.bytes[3][lane] = static_cast<uint8_t>(token >> 24 & 127);
  if (!bit(block.outputs[kValid], lane)) return 0;
  uint64_t answered = uint64_t{1} << 63;
  for (unsigned k = 0; k < 32; k++) answered |= bit(block.outputs[kSum + k], lane) << k;
  for (unsigned k = 0; k < kModeBits; k++) answered |= bit(block.outputs[kModeOut + k], lane) << (32 + k);
  answered |= bit(block.outputs[kASigned], lane) << 60 | bit(block.outputs[kBSigned], lane) << 61;
  return answered;
}
