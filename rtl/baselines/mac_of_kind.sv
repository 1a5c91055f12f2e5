// SPDX-License-Identifier: Apache-2.0

/// A multiply-accumulate unit around the multiplier that a parameter names: bitsys_mac or one of its rivals. Only the
/// multipliers differ. What sums their products is the same for all, but the fixed kind has nothing to reduce.
module mac_of_kind #(
  /// Which: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Bits of the accumulator, from 2N to 64.
  parameter int unsigned AccWidth = 32,
  /// Cells of the bitwise systolic kind as LUT6_2 primitives.
  parameter bit PrimitiveCells = 1'b0,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths)
) (
  /// Clock, rising edge.
  input  logic                clk_i,
  /// Synchronous reset, active low: tokens in flight become invalid, the dot product begun is forgotten.
  input  logic                rst_ni,
  /// A token is offered; it enters if ready_o is set too.
  input  logic                valid_i,
  /// A token would enter in this cycle. Does not look at valid_i.
  output logic                ready_o,
  /// It is the last one of its dot product.
  input  logic                last_i,
  /// Index of the token's width in the list, smallest first.
  input  logic [ModeW-1:0]    mode_i,
  /// Operand a is signed.
  input  logic                a_signed_i,
  /// Operand b is signed.
  input  logic                b_signed_i,
  /// Operand a, N/p channels.
  input  logic [N-1:0]        a_i,
  /// Operand b, N/p channels.
  input  logic [N-1:0]        b_i,
  /// The dot product that a token closed is on sum_o, for this cycle, baselines_pkg::mac_latency after it entered.
  output logic                valid_o,
  /// As mode_i of the last token; the index of the widest listed width for a code beyond the list.
  output logic [ModeW-1:0]    mode_o,
  /// As a_signed_i of the last token.
  output logic                a_signed_o,
  /// As b_signed_i of the last token.
  output logic                b_signed_o,
  /// The dot product modulo 2^AccWidth; two's complement if any token had a signed operand.
  output logic [AccWidth-1:0] sum_o
);

  if (AccWidth < 2 * N || AccWidth > 64) begin : gen_bad_width
    $error("mac_of_kind: AccWidth = %0d must be from 2 N = %0d to 64", AccWidth, 2 * N);
  end

  if (Kind == baselines_pkg::BitSys) begin : gen_bitsys
    bitsys_mac #(
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth),
      .PrimitiveCells(PrimitiveCells)
    ) u_mac (
      .clk_i,
      .rst_ni,
      .valid_i,
      .last_i,
      .mode_i,
      .a_signed_i,
      .b_signed_i,
      .a_i,
      .b_i,
      .valid_o,
      .mode_o,
      .a_signed_o,
      .b_signed_o,
      .sum_o
    );
    assign ready_o = 1'b1;
  end else begin : gen_rival
    logic                product_valid;
    logic                product_last;
    logic [ModeW-1:0]    product_mode;
    logic                product_a_signed;
    logic                product_b_signed;
    logic [2*N-1:0]      product;
    logic                value_valid;
    logic                value_last;
    logic [ModeW-1:0]    value_mode;
    logic                value_a_signed;
    logic                value_b_signed;
    logic signed [2*N:0] value;

    mul_of_kind #(
      .Kind(Kind),
      .N(N),
      .Widths(Widths),
      .Extend(1'b1)
    ) u_mul (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .last_i,
      .mode_i,
      .a_signed_i,
      .b_signed_i,
      .a_i,
      .b_i,
      .valid_o(product_valid),
      .last_o(product_last),
      .mode_o(product_mode),
      .a_signed_o(product_a_signed),
      .b_signed_o(product_b_signed),
      .product_o(product)
    );

    if (Kind == baselines_pkg::Fixed) begin : gen_single
      assign value_valid    = product_valid;
      assign value_last     = product_last;
      assign value_mode     = product_mode;
      assign value_a_signed = product_a_signed;
      assign value_b_signed = product_b_signed;
      assign value          = {(product_a_signed | product_b_signed) & product[2*N-1], product};
    end else begin : gen_channels
      bitsys_reduce #(
        .N(N),
        .Widths(Widths)
      ) u_reduce (
        .clk_i,
        .rst_ni,
        .valid_i(product_valid),
        .last_i(product_last),
        .mode_i(product_mode),
        .a_signed_i(product_a_signed),
        .b_signed_i(product_b_signed),
        .product_i(product),
        .valid_o(value_valid),
        .last_o(value_last),
        .mode_o(value_mode),
        .a_signed_o(value_a_signed),
        .b_signed_o(value_b_signed),
        .value_o(value)
      );
    end

    bitsys_acc #(
      .ValueWidth(2 * N),
      .AccWidth(AccWidth)
    ) u_acc (
      .clk_i,
      .rst_ni,
      .valid_i(value_valid),
      .last_i(value_last),
      .value_i(value),
      .valid_o,
      .sum_o
    );

    logic [ModeW+1:0] tag_d;
    logic [ModeW+1:0] tag;
    assign tag_d = {value_mode, value_a_signed, value_b_signed};
    for (genvar b = 0; b < ModeW + 2; b++) begin : gen_tag
      bitsys_delay #(
        .Depth(2)
      ) u_tag (
        .clk_i,
        .d_i(tag_d[b]),
        .q_o(tag[b])
      );
    end
    assign {mode_o, a_signed_o, b_signed_o} = tag;
  end

`ifndef SYNTHESIS
  for (genvar k = 0; k < bitsys_pkg::num_widths(Widths); k++) begin : gen_check
    localparam int unsigned Latency =
        baselines_pkg::mac_latency(Kind, N, Widths, bitsys_pkg::width_of(Widths, k));
    a_closed :
    assert property (@(posedge clk_i) disable iff (!rst_ni)
      valid_o && 32'(mode_o) == k |-> $past(valid_i && ready_o && last_i, Latency))
    else $error("mac_of_kind: a sum without a last token %0d cycles ago", Latency);
  end
`endif

endmodule
