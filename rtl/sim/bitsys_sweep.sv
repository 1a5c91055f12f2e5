// SPDX-License-Identifier: Apache-2.0

/// Drives the multiplier, or the multiply-accumulate unit, with one vector a cycle from a file and writes what it
/// answered to another, so that only the clock has to be driven from outside. Nothing is judged here.
///
/// Plusargs: +count=cycles +vectors=file ($readmemh) +results=file ($writememh). Line t of the results holds the outputs
/// sampled by the clock edge that reads line t of the vectors, so the answer to a vector is Latency lines below it.
/// A sum stands where products would, up to 32 bits of it, and is marked last.
module bitsys_sweep #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Drive the multiply-accumulate unit.
  parameter bit Mac = 1'b0,
  /// Bits of its accumulator.
  parameter int unsigned AccWidth = 32,
  /// Most cycles of one run.
  parameter int unsigned Depth = 1 << 21
) (
  /// Clock, rising edge.
  input  logic clk_i,
  /// High once the results are on disk.
  output logic done_o
);

  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths);

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
    logic        spare;
    logic        valid;
    logic        last;
    logic        a_signed;
    logic        b_signed;
    logic [2:0]  mode;
    logic [31:0] product;
  } result_t;

  vector_t     vectors[Depth];
  result_t     results[Depth];
  int unsigned count;
  int unsigned index;
  string       vectors_file;
  string       results_file;
  vector_t     now;
  result_t     answer;

  logic [ModeW-1:0] mode;

  assign now            = vectors[index];
  assign answer.spare   = 1'b0;
  assign answer.mode    = 3'(mode);

  if (Mac) begin : gen_mac
    logic [AccWidth-1:0] sum;
    bitsys_mac #(
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth)
    ) u_dut (
      .clk_i,
      .rst_ni(now.rst_n),
      .valid_i(now.valid),
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
  end else begin : gen_mul
    logic [2*N-1:0] product;
    bitsys_mul #(
      .N(N),
      .Widths(Widths)
    ) u_dut (
      .clk_i,
      .rst_ni(now.rst_n),
      .valid_i(now.valid),
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
  end

  initial begin
    index  = 0;
    done_o = 1'b0;
    if (!$value$plusargs("count=%d", count) || !$value$plusargs("vectors=%s", vectors_file) ||
        !$value$plusargs("results=%s", results_file)) begin
      $fatal(1, "bitsys_sweep: give +count= +vectors= +results=");
    end
    if (count == 0 || count > Depth) $fatal(1, "bitsys_sweep: count = %0d, room for 1 to %0d", count, Depth);
    $readmemh(vectors_file, vectors, 0, int'(count) - 1);
  end

  always_ff @(posedge clk_i) begin
    if (!done_o) begin
      results[index] <= answer;
      if (index == count - 1) done_o <= 1'b1;
      else index <= index + 1;
    end
  end

  final begin
    if (done_o) $writememh(results_file, results, 0, int'(count) - 1);
  end

endmodule
