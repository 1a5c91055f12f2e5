// SPDX-License-Identifier: Apache-2.0

/// From a sum to an activation, one column's share of it, a sum a cycle. Codes come out as unsigned ones: those of signed
/// results have their highest bit inverted, so that they compare as numbers.
///
/// Thresholds are a binary search: four steps, in each a memory read and a comparison, and the node of the next step
/// depends on the answer. The other operations use the same memories: bias in the first step's, scale in the second's.
module accelerators_activate
  import accelerators_pkg::*;
#(
  /// Bits of a sum.
  parameter int unsigned AccWidth = 32,
  /// Lines of the tables.
  parameter int unsigned Lines = 512,
  /// Derived: bits of a line's number.
  localparam int unsigned LineW = $clog2(Lines)
) (
  /// Clock, rising edge.
  input  logic                       clk_i,
  /// Write a node of a table.
  input  logic                       write_i,
  /// Of which line.
  input  logic [LineW-1:0]           write_line_i,
  /// Which node, 1 to 15.
  input  logic [3:0]                 write_node_i,
  /// What.
  input  logic [AccWidth-1:0]        write_data_i,
  /// The sum.
  input  logic signed [AccWidth-1:0] sum_i,
  /// The line of its table.
  input  logic [LineW-1:0]           line_i,
  /// What becomes of it.
  input  operation_e                 operation_i,
  /// log2 of the bits of the result.
  input  logic [2:0]                 out_log2_i,
  /// The result is signed.
  input  logic                       out_signed_i,
  /// The shift that follows the scale.
  input  logic [5:0]                 shift_i,
  /// The result, ActivateLatency cycles later.
  output logic [7:0]                 code_o,
  /// The sum with its bias, as late.
  output logic [AccWidth-1:0]        raw_o
);

  localparam int unsigned Steps = 4;
  localparam int unsigned WideW = AccWidth + 17;

  // Registers of step s: those between its memory read and its comparison, and those after it.
  typedef struct packed {
    logic signed [AccWidth-1:0] value;
    logic [LineW-1:0]           line;
    operation_e                 operation;
    logic [2:0]                 out_log2;
    logic                       out_signed;
    logic [5:0]                 shift;
    logic [Steps-1:0]           path;
  } step_t;

  step_t                      stage_q[Steps+1];
  step_t                      read_q[Steps];
  logic signed [AccWidth-1:0] node_q[Steps];

  assign stage_q[0].value        = sum_i;
  assign stage_q[0].line       = line_i;
  assign stage_q[0].operation  = operation_i;
  assign stage_q[0].out_log2   = out_log2_i;
  assign stage_q[0].out_signed = out_signed_i;
  assign stage_q[0].shift      = shift_i;
  assign stage_q[0].path       = '0;

  for (genvar s = 0; s < Steps; s++) begin : gen_step
    localparam int unsigned Nodes = 1 << s;
    logic signed [AccWidth-1:0] memory[Lines*Nodes];
    logic                       search;
    logic                       reached;

    always_ff @(posedge clk_i) begin
      if (write_i && write_node_i >= 4'(Nodes) && 32'(write_node_i) < 2 * Nodes) begin
        memory[32'(write_line_i)*Nodes+32'(write_node_i)-Nodes] <= write_data_i;
      end
      node_q[s] <= memory[32'(stage_q[s].line)*Nodes+(32'(stage_q[s].path)&(Nodes-1))];
      read_q[s] <= stage_q[s];
    end

    // Results of 1, 2 and 4 bits take 1, 2 and 4 steps.
    assign search  = read_q[s].operation == Threshold && s < 32'd1 << read_q[s].out_log2;
    assign reached = read_q[s].value >= node_q[s];

    always_ff @(posedge clk_i) begin
      stage_q[s+1] <= read_q[s];
      if (search) stage_q[s+1].path <= {read_q[s].path[Steps-2:0], reached};
      if (s == 0 && read_q[s].operation != Threshold) begin
        stage_q[s+1].value <= read_q[s].value + node_q[s];
      end
    end
  end

  // Scale: product, rounding, shift. The sum with its bias fits its bits: the assembler sees to it.
  logic signed [WideW-1:0] product_q;
  logic signed [WideW-1:0] rounded_q;
  logic signed [WideW-1:0] shifted_q[3];
  logic signed [WideW-1:0] low;
  logic signed [WideW-1:0] high;
  logic [7:0]              top;
  logic [7:0]              clipped;
  logic [3:0]              bits;

  always_ff @(posedge clk_i) begin
    product_q    <= WideW'(read_q[1].value) * WideW'(signed'(node_q[1][15:0]));
    rounded_q    <= product_q + (stage_q[2].shift == '0 ? '0 : WideW'(1) << (stage_q[2].shift - 6'd1));
    shifted_q[0] <= rounded_q >>> read_q[2].shift;
    shifted_q[1] <= shifted_q[0];
    shifted_q[2] <= shifted_q[1];
  end

  assign bits    = 4'd1 << stage_q[4].out_log2;
  assign top     = 8'd1 << (bits - 4'd1);
  assign low     = stage_q[4].out_signed ? -WideW'({1'b0, top}) : '0;
  assign high    = WideW'({1'b0, stage_q[4].out_signed ? {1'b0, top} : {top, 1'b0}}) - 1'b1;
  assign clipped = shifted_q[2] < low ? low[7:0] : shifted_q[2] > high ? high[7:0] : shifted_q[2][7:0];

  always_ff @(posedge clk_i) begin
    raw_o <= stage_q[4].value;
    if (stage_q[4].operation == Threshold) code_o <= 8'(stage_q[4].path);
    else code_o <= (clipped ^ (stage_q[4].out_signed ? top : 8'd0)) & 8'((9'd1 << bits) - 9'd1);
  end

endmodule
