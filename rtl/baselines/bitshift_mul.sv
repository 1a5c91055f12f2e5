// SPDX-License-Identifier: Apache-2.0

/// Rival: shift-and-add, unrolled. Step i multiplies a by bit i of b and adds it, shifted by i, to the sum of the steps
/// before; a is masked to the channel of bit i. Re-derived from the idea; the original RTL is not public.
///
/// One token a cycle; same ports, arithmetic and rules as bitsys_mul. A row has the same weights in every mode, so no wire
/// depends on the mode, and with negative partial products inverted (Baugh-Wooley) no channel outgrows its field before
/// the very end: the adders need no fences. Each has N bits, one LUT a bit, as finished bits leave it at the bottom.
module bitshift_mul #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from token to products: operands, a step for each bit of b, output.
  localparam int unsigned Latency = N + 2
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
  /// Operand a, N/p channels.
  input  logic [N-1:0]     a_i,
  /// Operand b, N/p channels.
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
  /// N/p products of 2p bits.
  output logic [2*N-1:0]   product_o
);

  localparam int unsigned M = bitsys_pkg::num_widths(Widths);
  localparam int unsigned Powers = $clog2(N) + 1;

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

  // Bit e: the channels of the token that enters have at most 2^e bits.
  logic [Powers-1:0] at_most;
  for (genvar e = 0; e < Powers; e++) begin : gen_at_most
    localparam int unsigned Wider = baselines_pkg::index_from(Widths, 2 << e);
    assign at_most[e] = Wider == bitsys_pkg::Never || narrow[Wider%M];
  end

  // Element i: of the token in step i.
  logic [N-1:0][M-1:0]      narrow_q;
  logic [N-1:0][Powers-1:0] a_tops_q;  // `at_most` if a is signed
  logic [N-2:0]             b_signed_q;
  logic [N-1:0][N-1:0]      a_q;
  logic [N-1:0]             b;  // its bit i

  always_ff @(posedge clk_i) begin
    narrow_q   <= {narrow_q[N-2:0], narrow};
    a_tops_q   <= {a_tops_q[N-2:0], at_most & {Powers{a_signed_i}}};
    b_signed_q <= {b_signed_q[N-3:0], b_signed_i};
    a_q        <= {a_q[N-2:0], a_i};
  end

  bitsys_skew #(
    .N(N)
  ) u_skew (
    .clk_i,
    .word_i(b_i),
    .word_o(b)
  );

  // The window of step i is bits i to i + N - 1 of the sum: those below are finished, those above have only constants.
  // Where a constant enters with the window, the carry out of the step before is zero.
  logic [N-1:0][N-1:0] window_q;
  logic [2*N-1:0]      sum;  // of the token that is to leave

  for (genvar d = 0; d < N; d++) begin : gen_window
    logic constant;
    bitshift_constant #(
      .Widths(Widths),
      .Bit(d)
    ) u_constant (
      .a_signed_i,
      .b_signed_i,
      .narrow_i(narrow),
      .constant_o(constant)
    );
    always_ff @(posedge clk_i) window_q[0][d] <= constant;
  end

  for (genvar i = 0; i < N; i++) begin : gen_step
    localparam int unsigned Ends = baselines_pkg::ones_below(i);
    logic         b_top;
    logic         b_top_q;
    logic [N-1:0] row;
    logic [N:0]   total;

    // Decoded a step ahead: the row has no time for it.
    if (i == 0) begin : gen_first
      assign b_top = b_signed_i & at_most[Ends];
    end else begin : gen_later
      localparam int unsigned Wider = baselines_pkg::index_from(Widths, 2 << Ends);
      assign b_top = b_signed_q[i-1] & (Wider == bitsys_pkg::Never || narrow_q[i-1][Wider%M]);
    end
    always_ff @(posedge clk_i) b_top_q <= b_top;

    bitshift_row #(
      .N(N),
      .Widths(Widths),
      .Row(i)
    ) u_row (
      .a_i(a_q[i]),
      .b_i(b[i]),
      .a_tops_i(a_tops_q[i]),
      .b_top_i(b_top_q),
      .narrow_i(narrow_q[i]),
      .row_o(row)
    );

    // The window comes first: it then feeds the carry chain itself and the row fits the LUT of each bit.
    assign total = {1'b0, window_q[i]} + {1'b0, row};

    if (i < N - 1) begin : gen_next
      logic constant;
      logic bit_q;
      bitshift_constant #(
        .Widths(Widths),
        .Bit(N + i)
      ) u_constant (
        .a_signed_i(a_tops_q[i][Powers-1]),
        .b_signed_i(b_signed_q[i]),
        .narrow_i(narrow_q[i]),
        .constant_o(constant)
      );
      always_ff @(posedge clk_i) begin
        window_q[i+1] <= {total[N] | constant, total[N-1:1]};
        bit_q         <= total[0];
      end
      bitsys_delay #(
        .Depth(N - 1 - i)
      ) u_align (
        .clk_i,
        .d_i(bit_q),
        .q_o(sum[i])
      );
    end else begin : gen_last
      logic [N:0] total_q;
      always_ff @(posedge clk_i) total_q <= total;
      assign sum[2*N-1:N-1] = total_q;
    end
  end

  // What is left to do: the constant at the top end of each channel flips its top bit, and bipolar fields are odd.
  logic [Powers-1:0] flips;
  logic              bipolar;
  logic              bipolar_d;

  assign bipolar_d = at_most[0] & a_signed_i & b_signed_i;
  bitsys_delay #(
    .Depth(Latency - 1)
  ) u_bipolar (
    .clk_i,
    .d_i(bipolar_d),
    .q_o(bipolar)
  );

  for (genvar e = 0; e < Powers; e++) begin : gen_flips
    logic flip_d;
    assign flip_d = at_most[e] & (a_signed_i | b_signed_i) & ~bipolar_d;
    bitsys_delay #(
      .Depth(Latency - 1)
    ) u_flip (
      .clk_i,
      .d_i(flip_d),
      .q_o(flips[e])
    );
  end

  for (genvar k = 0; k < N; k++) begin : gen_field
    always_ff @(posedge clk_i) begin
      product_o[2*k+1] <= sum[2*k+1] ^ flips[baselines_pkg::ones_below(k)];
      if (bipolar) product_o[2*k] <= 1'b1;
      else product_o[2*k] <= sum[2*k];
    end
  end

`ifndef SYNTHESIS
  a_latency :
  assert property (@(posedge clk_i) disable iff (!rst_ni) valid_o |-> $past(valid_i, Latency))
  else $error("bitshift_mul: a result without the token of %0d cycles ago", Latency);
`endif

endmodule
