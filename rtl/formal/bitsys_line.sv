// SPDX-License-Identifier: Apache-2.0

/// A word, delayed; for references in proofs.
module bitsys_line #(
  /// Bits of the word.
  parameter int unsigned Width = 1,
  /// Registers between input and output, from 0.
  parameter int unsigned Depth = 1
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Input.
  input  logic [Width-1:0] word_i,
  /// The input of Depth cycles ago.
  output logic [Width-1:0] word_o
);

  logic [Depth:0][Width-1:0] word;
  assign word[0] = word_i;
  for (genvar k = 0; k < Depth; k++) begin : gen_register
    always_ff @(posedge clk_i) word[k+1] <= word[k];
  end
  assign word_o = word[Depth];

endmodule
