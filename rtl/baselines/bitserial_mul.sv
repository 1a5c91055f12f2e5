// SPDX-License-Identifier: Apache-2.0

/// Rival: shift-and-add with a single adder, a bit of b a cycle, the same bit of all channels. Re-derived from the idea;
/// the original RTL is not public.
///
/// A token of width p takes the adder for p cycles, and p + 2 cycles in all; tokens of any mode and signs follow each
/// other without a gap. Else as bitsys_mul. From the top bit of b down, the sum is doubled and a is added, or subtracted
/// for a sign bit. Channels have fields of 2p bits from the beginning, so nothing moves when the mode changes. Between
/// fields the adder has a place that stops the carry and brings the one that a subtraction needs.
module bitserial_mul #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from token to products for the widest listed width.
  localparam int unsigned Latency = baselines_pkg::widest(Widths) + 2
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Synchronous reset, active low: every token in flight becomes invalid.
  input  logic             rst_ni,
  /// A token is offered; it enters if ready_o is set too.
  input  logic             valid_i,
  /// A token would enter in this cycle. Does not look at valid_i.
  output logic             ready_o,
  /// Last token of a dot product; carried, not used here.
  input  logic             last_i,
  /// Index of the token's width in the list, smallest first.
  input  logic [ModeW-1:0] mode_i,
  /// Operand a is signed.
  input  logic             a_signed_i,
  /// Operand b is signed.
  input  logic             b_signed_i,
  /// Operand a, N/p channels.
  input  logic [N-1:0]     a_i,
  /// Operand b, N/p channels.
  input  logic [N-1:0]     b_i,
  /// The products of a token that entered p + 2 cycles ago are on product_o, for this cycle.
  output logic             valid_o,
  /// As last_i of that token.
  output logic             last_o,
  /// As mode_i of that token; the index of the widest listed width for a code beyond the list.
  output logic [ModeW-1:0] mode_o,
  /// As a_signed_i of that token.
  output logic             a_signed_o,
  /// As b_signed_i of that token.
  output logic             b_signed_o,
  /// N/p products of 2p bits.
  output logic [2*N-1:0]   product_o
);

  localparam int unsigned M = bitsys_pkg::num_widths(Widths);
  localparam int unsigned Widest = Latency - 2;
  localparam int unsigned CountW = $clog2(Widest + 1);
  localparam int unsigned Groups = N / 2;  // of four bits of the sum; but for width 1, fields begin with a group
  localparam int unsigned Ends = $clog2(Groups);

  // The token that entered in the last cycle. It goes on in this one: it was let in because the adder will be free.
  logic             entered_q;
  logic             last_q;
  logic [ModeW-1:0] mode_q;
  logic             a_signed_q;
  logic             b_signed_q;
  logic [N-1:0]     a_q;
  logic [N-1:0]     b_q;
  logic [M-1:0]     unused_narrow;

  baselines_tag #(
    .N(N),
    .Widths(Widths),
    .Latency(1)
  ) u_tag (
    .clk_i,
    .rst_ni,
    .valid_i(valid_i & ready_o),
    .last_i,
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .narrow_o(unused_narrow),
    .valid_o(entered_q),
    .last_o(last_q),
    .mode_o(mode_q),
    .a_signed_o(a_signed_q),
    .b_signed_o(b_signed_q)
  );

  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_q <= b_i;
  end

  // Constants of each listed width, by its index: how many steps; width 1; and where fields begin.
  logic [M-1:0][CountW-1:0] steps;
  logic [M-1:0]             single;
  logic [M-1:0][Ends-1:0]   begins;  // bit e: a field begins with each group whose number is a multiple of 2^e
  for (genvar k = 0; k < M; k++) begin : gen_width
    localparam int unsigned W = bitsys_pkg::width_of(Widths, k);
    assign steps[k]  = CountW'(W);
    assign single[k] = W == 1;
    for (genvar e = 0; e < Ends; e++) begin : gen_begins
      assign begins[k][e] = W <= 2 << e;
    end
  end

  // Cycles for which the token in the adder still needs it, this one included.
  logic [CountW-1:0] left_q;
  logic              ends;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) left_q <= '0;
    else if (entered_q) left_q <= steps[mode_q];
    else if (left_q != '0) left_q <= left_q - 1'b1;
  end

  assign ends    = 32'(left_q) < 2;
  assign ready_o = entered_q ? single[mode_q] : 32'(left_q) < 3;

  // The token in the adder.
  logic [2*N-1:0]   fields;
  logic [2*N-1:0]   fields_q;  // a
  logic [N-1:0]     rest_q;  // b: the bits in turn are on top of each channel
  logic             subtract_q;  // and they are signs
  logic             bipolar_q;
  logic [Ends-1:0]  begins_q;
  logic             busy_last_q;
  logic [ModeW-1:0] busy_mode_q;
  logic             busy_a_signed_q;
  logic             busy_b_signed_q;

  // Of single bits with one sign, it does not matter whose it is; so nothing is ever subtracted at width 1.
  bitserial_spread #(
    .N(N),
    .Widths(Widths)
  ) u_spread (
    .channels_i(a_q),
    .signed_i(a_signed_q | (single[mode_q] & b_signed_q)),
    .mode_i(mode_q),
    .fields_o(fields)
  );

  always_ff @(posedge clk_i) begin
    if (entered_q) begin
      fields_q        <= fields;
      rest_q          <= b_q;
      bipolar_q       <= single[mode_q] & a_signed_q & b_signed_q;
      begins_q        <= begins[mode_q];
      busy_last_q     <= last_q;
      busy_mode_q     <= mode_q;
      busy_a_signed_q <= a_signed_q;
      busy_b_signed_q <= b_signed_q;
    end else begin
      rest_q <= rest_q << 1;
    end
    subtract_q <= entered_q & b_signed_q & ~single[mode_q];
  end

  // Twice the sum so far, and what is to be added to it; five places a group, the first of them before its bits.
  logic [2*N-2:0]         sum_q;
  logic [2*N-1:0]         sum;
  logic [Groups-1:0][4:0] twice;
  logic [Groups-1:0][4:0] row;
  logic [Groups-1:0][4:0] total;

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    localparam int unsigned End = bitsys_pkg::bits_for(g & ~(g - 1)) - 1;  // g is a multiple of 2^End

    // Equal bits stop a carry and give their own; different bits let it pass.
    assign twice[g][0] = subtract_q;
    assign row[g][0]   = g == 0 || begins_q[End%Ends] ? subtract_q : ~subtract_q;

    for (genvar s = 0; s < 2; s++) begin : gen_channel
      localparam int unsigned Pair = 2 * g + s;
      logic [M-1:0] bits;
      logic         b;
      for (genvar k = 0; k < M; k++) begin : gen_bit
        assign bits[k] = rest_q[Pair|(bitsys_pkg::width_of(Widths, k)-1)];
      end
      assign b = bits[busy_mode_q];

      assign row[g][2*s+1] = (fields_q[2*Pair] & b) ^ subtract_q;
      // A bipolar field is 1 + 2 (a xor b).
      assign row[g][2*s+2] = bipolar_q ? fields_q[2*Pair+1] ^ b : (fields_q[2*Pair+1] & b) ^ subtract_q;
    end

    if (g == 0) begin : gen_lowest
      assign twice[g][4:1] = {sum_q[2:0], 1'b0};
    end else begin : gen_other
      assign twice[g][4:1] = sum_q[4*g+2:4*g-1];
    end
    assign sum[4*g+:4] = total[g][4:1];

    // The next token begins with zero. The topmost bit of a field repeats its sign and must not enter the next field.
    always_ff @(posedge clk_i) begin
      if (ends) sum_q[4*g+:3] <= '0;
      else sum_q[4*g+:3] <= sum[4*g+:3];
    end
    if (g < Groups - 1) begin : gen_top
      localparam int unsigned NextEnd = bitsys_pkg::bits_for((g + 1) & ~g) - 1;
      always_ff @(posedge clk_i) begin
        if (ends || begins_q[NextEnd]) sum_q[4*g+3] <= 1'b0;
        else sum_q[4*g+3] <= sum[4*g+3];
      end
    end
  end

  assign total = twice + row;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_o <= 1'b0;
    else valid_o <= 32'(left_q) == 1;
  end

  always_ff @(posedge clk_i) begin
    if (ends) begin
      last_o     <= busy_last_q;
      mode_o     <= busy_mode_q;
      a_signed_o <= busy_a_signed_q;
      b_signed_o <= busy_b_signed_q;
    end
  end

  for (genvar d = 0; d < 2 * N; d++) begin : gen_product
    always_ff @(posedge clk_i) begin
      if (ends) begin
        if (d % 2 == 0 && bipolar_q) product_o[d] <= 1'b1;
        else product_o[d] <= sum[d];
      end
    end
  end

`ifndef SYNTHESIS
  a_free :
  assert property (@(posedge clk_i) disable iff (!rst_ni) entered_q |-> ends)
  else $error("bitserial_mul: a token entered that the adder is not free for");

  for (genvar k = 0; k < M; k++) begin : gen_latency
    localparam int unsigned W = bitsys_pkg::width_of(Widths, k);
    a_latency :
    assert property (@(posedge clk_i) disable iff (!rst_ni)
      valid_o && 32'(mode_o) == k |-> $past(valid_i && ready_o, W + 2) && last_o == $past(last_i, W + 2))
    else $error("bitserial_mul: a result of width %0d without the token of %0d cycles ago", W, W + 2);
  end
`endif

endmodule
