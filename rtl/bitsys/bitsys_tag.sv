// SPDX-License-Identifier: Apache-2.0

/// The tag's pipeline: what is to be done with a token travels beside it, so that mode and signs may change on every
/// cycle. All cells of one anti-diagonal hold the same token in the same cycle, hence one tag an anti-diagonal.
///
/// The mode code is decoded once, at the entrance, into `narrow`: bit k is set when the token's width is smaller than
/// the listed width of index k. Cells and fences use these bits as register resets, with no further logic. A code beyond
/// the list acts as the widest listed width.
module bitsys_tag #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths),
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from tag in to tag out.
  localparam int unsigned Latency = 2 * N + 1
) (
  /// Clock, rising edge.
  input  logic                    clk_i,
  /// Synchronous reset, active low: every token in flight becomes invalid.
  input  logic                    rst_ni,
  /// A token enters in this cycle.
  input  logic                    valid_i,
  /// Last token of a dot product.
  input  logic                    last_i,
  /// Index of the token's width in the list.
  input  logic [ModeW-1:0]        mode_i,
  /// Operand a is signed.
  input  logic                    a_signed_i,
  /// Operand b is signed.
  input  logic                    b_signed_i,
  /// Sign flags, element d for the token on anti-diagonal d; the last element is one cycle after the last.
  output logic [2*N-1:0]          a_signed_d_o,
  /// As a_signed_d_o, operand b.
  output logic [2*N-1:0]          b_signed_d_o,
  /// The token on anti-diagonal d is bipolar: width 1, both operands signed.
  output logic [2*N-1:0]          bipolar_d_o,
  /// Width of the token on anti-diagonal d: bit k is set when it is smaller than listed width k.
  output logic [2*N-1:0][M-1:0]   narrow_d_o,
  /// The tag, with the products.
  output logic                    valid_o,
  /// As last_i.
  output logic                    last_o,
  /// As mode_i; the index of the widest listed width for a code beyond the list.
  output logic [ModeW-1:0]        mode_o,
  /// As a_signed_i.
  output logic                    a_signed_o,
  /// As b_signed_i.
  output logic                    b_signed_o
);

  logic [Latency-1:0]         valid_q;
  logic [2*N-1:0]             a_signed_q;
  logic [2*N-1:0]             b_signed_q;
  logic [2*N-1:0]             bipolar_q;
  logic [2*N-1:0][M-1:0]      narrow_q;
  logic                       bipolar_d;
  logic [M-1:0]               narrow_d;

  for (genvar k = 0; k < M; k++) begin : gen_narrow
    assign narrow_d[k] = (k != 0) && (32'(mode_i) < k);
  end

  assign bipolar_d = bitsys_pkg::width_of(Widths, 0) == 1 && (M == 1 || narrow_d[1%M]) &&
                     a_signed_i && b_signed_i;

  // Only valid is control: it alone is reset.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], valid_i};
  end

  always_ff @(posedge clk_i) begin
    a_signed_q <= {a_signed_q[2*N-2:0], a_signed_i};
    b_signed_q <= {b_signed_q[2*N-2:0], b_signed_i};
    bipolar_q  <= {bipolar_q[2*N-2:0], bipolar_d};
    narrow_q   <= {narrow_q[2*N-2:0], narrow_d};
  end

  assign a_signed_d_o = a_signed_q;
  assign b_signed_d_o = b_signed_q;
  assign bipolar_d_o  = bipolar_q;
  assign narrow_d_o   = narrow_q;
  assign valid_o      = valid_q[Latency-1];

  bitsys_delay #(
    .Depth(Latency)
  ) u_last (
    .clk_i,
    .d_i(last_i),
    .q_o(last_o)
  );

  // The code is read back from the decoded width, which is there anyway, so it has no delay line of its own.
  logic [ModeW-1:0] mode_d;
  always_comb begin
    mode_d = ModeW'(M - 1);
    for (int unsigned step = 1; step < M; step++) begin
      if (narrow_q[2*N-1][M-step]) mode_d = ModeW'(M - 1 - step);
    end
  end
  always_ff @(posedge clk_i) mode_o <= mode_d;

  bitsys_delay #(
    .Depth(Latency - 2 * N)
  ) u_a_signed (
    .clk_i,
    .d_i(a_signed_q[2*N-1]),
    .q_o(a_signed_o)
  );

  bitsys_delay #(
    .Depth(Latency - 2 * N)
  ) u_b_signed (
    .clk_i,
    .d_i(b_signed_q[2*N-1]),
    .q_o(b_signed_o)
  );

endmodule
