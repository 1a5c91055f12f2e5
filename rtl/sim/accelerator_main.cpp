// SPDX-License-Identifier: Apache-2.0

// Clocks accelerator_bench until it says $finish. No Python runs beside it: a run starts in milliseconds.

#include <memory>

#include "Vaccelerator_bench.h"
#include "verilated.h"

int main(int argc, char** argv) {
  const auto context = std::make_unique<VerilatedContext>();
  context->commandArgs(argc, argv);
  const auto bench = std::make_unique<Vaccelerator_bench>(context.get());
  while (!context->gotFinish()) {
    bench->clk_i = 0;
    bench->eval();
    bench->clk_i = 1;
    bench->eval();
    context->timeInc(1);
  }
  bench->final();
  return 0;
}
