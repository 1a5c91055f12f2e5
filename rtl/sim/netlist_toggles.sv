// SPDX-License-Identifier: Apache-2.0

/// Drives a gate-level netlist with one vector a cycle from a file, writes what it answered to another, and has the
/// simulator count how often its nets toggle (SAIF), from the cycle in which the pipeline is full to the end.
///
/// The netlist is a module `netlist` with the ports of a multiplier or of a multiply-accumulate unit; the harness has all
/// of either. Inputs change with the registers, right after the rising edge. Nothing is judged here.
///
/// Plusargs: +count=cycles +start=first counted cycle +vectors=file ($readmemh) +results=file ($writememh). Line t of the
/// results holds the outputs before the clock edge that reads line t of the vectors.
module netlist_toggles #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Bits of a mode code.
  parameter int unsigned ModeW = 2,
  /// Bits of a sum.
  parameter int unsigned AccWidth = 32,
  /// Write the sum, not the products.
  parameter bit Mac = 1'b0,
  /// Most cycles of one run.
  parameter int unsigned Depth = 1 << 16
);

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
    logic [2:0]  spare;
    logic        valid;
    logic [63:0] product;
  } result_t;

  vector_t     vectors[Depth];
  result_t     results[Depth];
  int unsigned count;
  int unsigned start;
  int unsigned index = 0;
  string       vectors_file;
  string       results_file;
  vector_t     now = '0;

  // The ports of a netlist, by name.
  logic                clk_i = 1'b0;
  logic                rst_ni;
  logic                valid_i;
  logic                last_i;
  logic [ModeW-1:0]    mode_i;
  logic                a_signed_i;
  logic                b_signed_i;
  logic [N-1:0]        a_i;
  logic [N-1:0]        b_i;
  logic                ready_o;  // of bitserial alone; a token is held for as many cycles as it takes
  logic                valid_o;
  logic                last_o;
  logic [ModeW-1:0]    mode_o;
  logic                a_signed_o;
  logic                b_signed_o;
  logic [2*N-1:0]      product_o;
  logic [AccWidth-1:0] sum_o;

  assign rst_ni     = now.rst_n;
  assign valid_i    = now.valid;
  assign last_i     = now.last;
  assign mode_i     = now.mode[ModeW-1:0];
  assign a_signed_i = now.a_signed;
  assign b_signed_i = now.b_signed;
  assign a_i        = now.a[N-1:0];
  assign b_i        = now.b[N-1:0];

  netlist u_netlist (.*);

  always_ff @(posedge clk_i) begin
    now            <= vectors[index];
    results[index] <= '{spare: '0, valid: valid_o, product: Mac ? 64'(sum_o) : 64'(product_o)};
    index          <= index + 1;
  end

  initial begin
    if (!$value$plusargs("count=%d", count) || !$value$plusargs("start=%d", start) ||
        !$value$plusargs("vectors=%s", vectors_file) || !$value$plusargs("results=%s", results_file)) begin
      $fatal(1, "netlist_toggles: give +count= +start= +vectors= +results=");
    end
    if (start >= count || count > Depth) $fatal(1, "netlist_toggles: start = %0d, count = %0d", start, count);
    $readmemh(vectors_file, vectors, 0, int'(count) - 1);
    $dumpfile("toggles.saif");
    for (int unsigned t = 0; t < count; t++) begin
      if (t == start) $dumpvars(0, u_netlist);
      #1 clk_i = 1'b1;
      #1 clk_i = 1'b0;
    end
    $writememh(results_file, results, 0, int'(count) - 1);
    $finish;
  end

endmodule
