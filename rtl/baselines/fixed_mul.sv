// SPDX-License-Identifier: Apache-2.0

/// Rival: what one has without any of this: an N x N multiplier that pads narrow operands. Of a token it uses channel 0
/// alone; the other fields are zero. Re-derived from the idea; the original RTL is not public.
///
/// One token a cycle, so one multiplication a cycle in every mode; same ports and rules as bitsys_mul. `*` of whole
/// operands would be one long path, and synthesis does not move registers into it, so it is cut by hand as an engineer
/// would: b into digits of two bits, whose products with a are one adder each, then their sum level by level. With a
/// register after each of these no path is longer than one carry chain; more registers would not make it shorter. One
/// addend of each digit is made by the reset of its register, so that an adder costs one LUT a bit.
module fixed_mul #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Extend the product to all 2N bits, as an accumulator needs it, instead of clearing the fields of other channels.
  parameter bit Extend = 1'b0,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from token to products: operands, extension, digits, a level for each halving of their number.
  localparam int unsigned Latency = 2 + $clog2(N)
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Synchronous reset, active low: every token in flight becomes invalid.
  input  logic             rst_ni,
  /// A token enters in this cycle.
  input  logic             valid_i,
  /// Last token of a dot product; carried, not used here.
  input  logic             last_i,
  /// Index of the token's width in the list, smallest first.
  input  logic [ModeW-1:0] mode_i,
  /// Operand a is signed.
  input  logic             a_signed_i,
  /// Operand b is signed.
  input  logic             b_signed_i,
  /// Operand a, N/p channels; the lowest is used.
  input  logic [N-1:0]     a_i,
  /// Operand b, N/p channels; the lowest is used.
  input  logic [N-1:0]     b_i,
  /// Products of the token of Latency cycles ago are on product_o.
  output logic             valid_o,
  /// As last_i of that token.
  output logic             last_o,
  /// As mode_i of that token; the index of the widest listed width for a code beyond the list.
  output logic [ModeW-1:0] mode_o,
  /// As a_signed_i of that token.
  output logic             a_signed_o,
  /// As b_signed_i of that token.
  output logic             b_signed_o,
  /// The product of channel 0 in 2p bits, then zeros.
  output logic [2*N-1:0]   product_o
);

  localparam int unsigned M = bitsys_pkg::num_widths(Widths);
  localparam int unsigned Levels = $clog2(N) - 1;  // of the sum; it has N/2 terms

  logic [M-1:0] narrow;

  baselines_tag #(
    .N(N),
    .Widths(Widths),
    .Latency(Latency)
  ) u_tag (
    .clk_i,
    .rst_ni,
    .valid_i,
    .last_i,
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .narrow_o(narrow),
    .valid_o,
    .last_o,
    .mode_o,
    .a_signed_o,
    .b_signed_o
  );

  logic [N-1:0] a_q;
  logic [N-1:0] b_q;
  logic [M-1:0] narrow_q;
  logic         a_signed_q;
  logic         b_signed_q;

  always_ff @(posedge clk_i) begin
    a_q        <= a_i;
    b_q        <= b_i;
    narrow_q   <= narrow;
    a_signed_q <= a_signed_i;
    b_signed_q <= b_signed_i;
  end

  logic signed [N:0] a_d;
  logic signed [N:0] b_d;
  logic signed [N:0] factor_q;
  logic        [N:0] digits_q;

  fixed_extend #(
    .N(N),
    .Widths(Widths)
  ) u_extend_a (
    .channels_i(a_q),
    .signed_i(a_signed_q),
    .other_signed_i(b_signed_q),
    .narrow_i(narrow_q),
    .number_o(a_d)
  );

  fixed_extend #(
    .N(N),
    .Widths(Widths)
  ) u_extend_b (
    .channels_i(b_q),
    .signed_i(b_signed_q),
    .other_signed_i(a_signed_q),
    .narrow_i(narrow_q),
    .number_o(b_d)
  );

  always_ff @(posedge clk_i) begin
    factor_q <= a_d;
    digits_q <= b_d;
  end

  // Level k holds a times pieces of 2^(k+1) bits of b, of which the topmost is signed.
  for (genvar k = 0; k <= Levels; k++) begin : gen_level
    localparam int unsigned Piece = 2 << k;
    localparam int unsigned Pieces = N / Piece;
    localparam int unsigned Shift = Piece / 2;
    logic [Pieces-1:0][N+Piece:0] multiple;

    for (genvar c = 0; c < Pieces; c++) begin : gen_piece
      logic signed [N+Shift:0] low;
      logic signed [N+Shift:0] high;
      logic                    carry;

      if (k == 0) begin : gen_digit
        logic signed [N:0] row_q;
        logic signed [N:0] row;
        always_ff @(posedge clk_i) begin
          if (!b_d[2*c]) row_q <= '0;
          else row_q <= a_d;
        end
        assign low = (N + 2)'(row_q);
        // The top bit of a signed b counts negative.
        assign carry = c == Pieces - 1 && digits_q[N];
        assign row   = (factor_q & {N + 1{digits_q[2*c+1]}}) ^ {N + 1{carry}};
        assign high  = (N + 2)'(row);
      end else begin : gen_sum
        logic signed [N+Shift:0] low_q;
        logic signed [N+Shift:0] high_q;
        always_ff @(posedge clk_i) begin
          low_q  <= gen_level[k-1].multiple[2*c];
          high_q <= gen_level[k-1].multiple[2*c+1];
        end
        assign low   = low_q;
        assign high  = high_q;
        assign carry = 1'b0;
      end

      assign multiple[c] = {(N + Shift + 1)'(low >>> Shift) + (N + Shift + 1)'(high) + (N + Shift + 1)'(carry),
                           low[Shift-1:0]};
    end
  end

  // Bits above the field are cleared by the reset of their register.
  for (genvar d = 0; d < 2 * N; d++) begin : gen_bit
    localparam int unsigned Holds = baselines_pkg::index_from(Widths, d / 2 + 1);
    logic clear;
    if (Extend || Holds == 0) begin : gen_keep
      assign clear = 1'b0;
    end else if (Holds == bitsys_pkg::Never) begin : gen_clear
      assign clear = 1'b1;
    end else begin : gen_by_mode
      bitsys_delay #(
        .Depth(Latency - 2)
      ) u_clear (
        .clk_i,
        .d_i(narrow_q[Holds]),
        .q_o(clear)
      );
    end
    always_ff @(posedge clk_i) begin
      if (clear) product_o[d] <= 1'b0;
      else product_o[d] <= gen_level[Levels].multiple[0][d];
    end
  end

`ifndef SYNTHESIS
  a_latency :
  assert property (@(posedge clk_i) disable iff (!rst_ni) valid_o |-> $past(valid_i, Latency))
  else $error("fixed_mul: a result without the token of %0d cycles ago", Latency);
`endif

endmodule
