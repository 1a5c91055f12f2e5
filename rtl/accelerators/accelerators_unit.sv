// SPDX-License-Identifier: Apache-2.0

/// A multiply-accumulate unit and its place in the chain that results leave by: a sum stays in it until it is shifted
/// out, while the next one is computed.
module accelerators_unit
  import accelerators_pkg::*;
#(
  /// Kind of multiplier: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Bits of the accumulator.
  parameter int unsigned AccWidth = 32
) (
  /// Clock, rising edge.
  input  logic                clk_i,
  /// Synchronous reset, active low.
  input  logic                rst_ni,
  /// What rides with the operands.
  input  tag_t                tag_i,
  /// Activations.
  input  logic [N-1:0]        a_i,
  /// Weights.
  input  logic [N-1:0]        b_i,
  /// Results move on.
  input  logic                shift_i,
  /// The result of the unit above.
  input  logic [AccWidth-1:0] chain_i,
  /// A sum is ready; it is in the chain from the next cycle.
  output logic                ready_o,
  /// The result in this place.
  output logic [AccWidth-1:0] chain_o
);

  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths);

  logic [AccWidth-1:0] sum;
  logic                unused_ready;
  logic [ModeW-1:0]    unused_mode;
  logic                unused_a_signed;
  logic                unused_b_signed;

  mac_of_kind #(
    .Kind(Kind),
    .N(N),
    .Widths(Widths),
    .AccWidth(AccWidth)
  ) u_mac (
    .clk_i,
    .rst_ni,
    .valid_i(tag_i.valid),
    .ready_o(unused_ready),
    .last_i(tag_i.last),
    .mode_i(tag_i.mode[ModeW-1:0]),
    .a_signed_i(tag_i.a_signed),
    .b_signed_i(tag_i.b_signed),
    .a_i,
    .b_i,
    .valid_o(ready_o),
    .mode_o(unused_mode),
    .a_signed_o(unused_a_signed),
    .b_signed_o(unused_b_signed),
    .sum_o(sum)
  );

  always_ff @(posedge clk_i) begin
    if (ready_o) chain_o <= sum;
    else if (shift_i) chain_o <= chain_i;
  end

endmodule
