// SPDX-License-Identifier: Apache-2.0

/// Triangular delay of one operand: bit k leaves k + 1 cycles after it entered, so that all bits of a token meet on one
/// anti-diagonal of the array.
module bitsys_skew #(
  /// Container width, bits.
  parameter int unsigned N = 8
) (
  /// Clock, rising edge.
  input  logic         clk_i,
  /// Operand, all bits of one token.
  input  logic [N-1:0] word_i,
  /// Operand, bit k of the token that entered k + 1 cycles ago.
  output logic [N-1:0] word_o
);

  for (genvar k = 0; k < N; k++) begin : gen_bit
    bitsys_delay #(
      .Depth(k + 1)
    ) u_delay (
      .clk_i,
      .d_i(word_i[k]),
      .q_o(word_o[k])
    );
  end

endmodule
