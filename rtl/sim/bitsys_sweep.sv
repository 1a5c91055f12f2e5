// SPDX-License-Identifier: Apache-2.0

/// Every multiplier and multiply-accumulate unit of one container width and one list of widths. Drives the chosen one
/// with vectors from a file and writes what it answered to another, so that only the clock has to be driven from outside.
/// Nothing is judged here.
///
/// Plusargs: +design=number +count=vectors +vectors=file ($readmemh) +results=file ($writememh). Line t of the results
/// holds the outputs sampled by clock edge t, and whether that edge took a vector: it does unless a token is refused
/// because the design is not ready. So where nothing is refused, the answer to a vector is Latency lines below it. A sum
/// stands where products would, up to 32 bits of it, and is marked last.
module bitsys_sweep #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Bits of the accumulators.
  parameter int unsigned AccWidth = 32,
  /// Cells of the bitwise systolic designs as LUT6_2 primitives.
  parameter bit PrimitiveCells = 1'b0,
  /// Which designs are there: bit k is the multiplier of kind k, bit Kinds + k the multiply-accumulate unit.
  parameter int unsigned Designs = 32'h3ff,
  /// Most vectors of one run.
  parameter int unsigned Depth = 1 << 21,
  /// Most cycles of one run.
  parameter int unsigned Cycles = 1 << 23
) (
  /// Clock, rising edge.
  input  logic clk_i,
  /// High once the results are on disk.
  output logic done_o
);

  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths);
  localparam int unsigned Kinds = 5;

  // The same fields for every N and list of widths, so that who reads the files need not know the parameters.
  typedef struct packed {
    logic        rst_n;
    logic        valid;
    logic        last;
    logic        a_signed;
    logic        b_signed;
    logic [2:0]  mode;
    logic [15:0] a;
    logic [15:0] b;
  } vector_t;

  typedef struct packed {
    logic        taken;
    logic        valid;
    logic        last;
    logic        a_signed;
    logic        b_signed;
    logic [2:0]  mode;
    logic [31:0] product;
  } result_t;

  vector_t     vectors[Depth];
  result_t     results[Cycles];
  int unsigned which;
  int unsigned count;
  int unsigned index;
  int unsigned cycle;
  string       vectors_file;
  string       results_file;
  vector_t     now;
  logic        taken;

  logic [2*Kinds-1:0]  chosen;
  logic [2*Kinds-1:0]  ready;
  result_t             answers[2*Kinds];

  assign now   = vectors[index];
  assign taken = !now.valid || !now.rst_n || ready[which];

  for (genvar k = 0; k < 2 * Kinds; k++) begin : gen_design
    if (Designs[k]) begin : gen_there
      // A design that is not chosen has no clock: it costs nothing to simulate.
      logic             clk;
      logic [ModeW-1:0] mode;
      result_t          answer;
      assign clk         = clk_i & chosen[k];
      assign answer.taken = taken;
      assign answer.mode = 3'(mode);
      assign answers[k]  = answer;
      if (k < Kinds) begin : gen_mul
        logic [2*N-1:0] product;
        mul_of_kind #(
          .Kind(k),
          .N(N),
          .Widths(Widths),
          .PrimitiveCells(PrimitiveCells)
        ) u_dut (
          .clk_i(clk),
          .rst_ni(now.rst_n),
          .valid_i(now.valid),
          .ready_o(ready[k]),
          .last_i(now.last),
          .mode_i(now.mode[ModeW-1:0]),
          .a_signed_i(now.a_signed),
          .b_signed_i(now.b_signed),
          .a_i(now.a[N-1:0]),
          .b_i(now.b[N-1:0]),
          .valid_o(answer.valid),
          .last_o(answer.last),
          .mode_o(mode),
          .a_signed_o(answer.a_signed),
          .b_signed_o(answer.b_signed),
          .product_o(product)
        );
        assign answer.product = 32'(product);
      end else begin : gen_mac
        logic [AccWidth-1:0] sum;
        mac_of_kind #(
          .Kind(k - Kinds),
          .N(N),
          .Widths(Widths),
          .AccWidth(AccWidth),
          .PrimitiveCells(PrimitiveCells)
        ) u_dut (
          .clk_i(clk),
          .rst_ni(now.rst_n),
          .valid_i(now.valid),
          .ready_o(ready[k]),
          .last_i(now.last),
          .mode_i(now.mode[ModeW-1:0]),
          .a_signed_i(now.a_signed),
          .b_signed_i(now.b_signed),
          .a_i(now.a[N-1:0]),
          .b_i(now.b[N-1:0]),
          .valid_o(answer.valid),
          .mode_o(mode),
          .a_signed_o(answer.a_signed),
          .b_signed_o(answer.b_signed),
          .sum_o(sum)
        );
        assign answer.last    = answer.valid;
        assign answer.product = 32'(sum);
      end
    end else begin : gen_absent
      assign ready[k]   = 1'b0;
      assign answers[k] = '0;
    end
  end

  initial begin
    index  = 0;
    cycle  = 0;
    done_o = 1'b0;
    if (!$value$plusargs("design=%d", which) || !$value$plusargs("count=%d", count) ||
        !$value$plusargs("vectors=%s", vectors_file) || !$value$plusargs("results=%s", results_file)) begin
      $fatal(1, "bitsys_sweep: give +design= +count= +vectors= +results=");
    end
    if (which >= 2 * Kinds || !Designs[which]) $fatal(1, "bitsys_sweep: there is no design %0d", which);
    if (count == 0 || count > Depth) $fatal(1, "bitsys_sweep: count = %0d, room for 1 to %0d", count, Depth);
    chosen = 10'd1 << which;
    $readmemh(vectors_file, vectors, 0, int'(count) - 1);
  end

  always_ff @(posedge clk_i) begin
    if (!done_o) begin
      results[cycle] <= answers[which];
      cycle <= cycle + 1;
      if (taken && index == count - 1) done_o <= 1'b1;
      else if (cycle == Cycles - 1) $fatal(1, "bitsys_sweep: no end after %0d cycles", Cycles);
      else if (taken) index <= index + 1;
    end
  end

  final begin
    if (done_o) $writememh(results_file, results, 0, int'(cycle) - 1);
  end

endmodule
