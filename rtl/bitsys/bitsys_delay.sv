// SPDX-License-Identifier: Apache-2.0

/// One bit, delayed. No reset, so that synthesis may use shift-register LUTs.
module bitsys_delay #(
  /// Registers between input and output; 0 is a wire.
  parameter int unsigned Depth = 1
) (
  /// Clock, rising edge.
  input  logic clk_i,
  /// Input.
  input  logic d_i,
  /// The input of Depth cycles ago.
  output logic q_o
);

  if (Depth == 0) begin : gen_wire
    logic unused_clk;
    assign unused_clk = clk_i;
    assign q_o = d_i;
  end else if (Depth == 1) begin : gen_register
    logic line_q;
    always_ff @(posedge clk_i) line_q <= d_i;
    assign q_o = line_q;
  end else begin : gen_line
    logic [Depth-1:0] line_q;
    always_ff @(posedge clk_i) line_q <= {line_q[Depth-2:0], d_i};
    assign q_o = line_q[Depth-1];
  end

endmodule
