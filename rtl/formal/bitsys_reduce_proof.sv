// SPDX-License-Identifier: Apache-2.0

/// The claim that bitsys_reduce answers any word of fields, Latency cycles later, with their sum and the tag it came with.
module bitsys_reduce_proof #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from products to value.
  localparam int unsigned Latency = $clog2(N / bitsys_pkg::width_of(Widths, 0))
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Any reset.
  input  logic             rst_ni,
  /// Any products, or none.
  input  logic             valid_i,
  /// Any mark.
  input  logic             last_i,
  /// Any mode code.
  input  logic [ModeW-1:0] mode_i,
  /// Any sign of a.
  input  logic             a_signed_i,
  /// Any sign of b.
  input  logic             b_signed_i,
  /// Any word, also one that no products give.
  input  logic [2*N-1:0]   product_i,
  /// Bit k: bit k of the sum is right.
  output logic [2*N:0]     value_ok_o,
  /// Last, mode and signs are as they came.
  output logic             tag_ok_o,
  /// `valid` is right.
  output logic             valid_ok_o
);

  localparam int Last = $countones(Widths) - 1;

  logic signed [2*N:0] value;
  logic [2*N:0]        value_now;
  logic [2*N:0]        value_due;
  logic                valid;
  logic [ModeW+2:0]    tag;
  logic [ModeW+2:0]    tag_due;
  logic [Latency:0]    valid_due;

  bitsys_reduce #(
    .N(N),
    .Widths(Widths)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .valid_i,
    .last_i,
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .product_i,
    .valid_o(valid),
    .last_o(tag[ModeW+2]),
    .mode_o(tag[ModeW+1:2]),
    .a_signed_o(tag[1]),
    .b_signed_o(tag[0]),
    .value_o(value)
  );

  // The sum if the token's width were 2^e, and whether it is.
  logic [4:0][2*N:0] sums;
  logic [4:0]        chosen;
  logic              is_signed;

  assign is_signed = a_signed_i | b_signed_i;

  for (genvar e = 0; e < 5; e++) begin : gen_width
    localparam int P = 1 << e;
    if (P <= N && Widths[P]) begin : gen_listed
      localparam int Code = $countones(Widths & ((32'd1 << P) - 1));
      assign chosen[e] = Code == Last ? 32'(mode_i) >= Code : 32'(mode_i) == Code;
      always_comb begin
        sums[e] = '0;
        for (int c = 0; c < N / P; c++) begin
          sums[e] = sums[e] + {{2 * (N - P) + 1{is_signed & product_i[2*P*c+2*P-1]}}, product_i[2*P*c+:2*P]};
        end
      end
    end else begin : gen_unlisted
      assign chosen[e] = 1'b0;
      assign sums[e]   = '0;
    end
  end

  always_comb begin
    value_now = '0;
    for (int e = 0; e < 5; e++) if (chosen[e]) value_now = sums[e];
  end

  bitsys_line #(
    .Width(2 * N + 1),
    .Depth(Latency)
  ) u_value_due (
    .clk_i,
    .word_i(value_now),
    .word_o(value_due)
  );

  bitsys_line #(
    .Width(ModeW + 3),
    .Depth(Latency)
  ) u_tag_due (
    .clk_i,
    .word_i({last_i, mode_i, a_signed_i, b_signed_i}),
    .word_o(tag_due)
  );

  assign valid_due[0] = valid_i;
  for (genvar k = 0; k < Latency; k++) begin : gen_valid
    always_ff @(posedge clk_i) valid_due[k+1] <= rst_ni & valid_due[k];
  end

  assign value_ok_o = value ~^ value_due;
  assign tag_ok_o   = tag == tag_due;
  assign valid_ok_o = valid == valid_due[Latency];

endmodule
