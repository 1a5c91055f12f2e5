// SPDX-License-Identifier: Apache-2.0

/// Layer sequencer: walks through the instructions and issues a token a cycle, as long as its weights are there.
///
/// Loops, outermost first: column tiles, position tiles, tokens. After a layer it waits for the last result to be
/// written if the next layer wants that; otherwise the next layer's first token follows at once.
module accelerators_issue
  import accelerators_pkg::*;
#(
  /// Bits of an instruction's number.
  parameter int unsigned PcW = 5
) (
  /// Clock, rising edge.
  input  logic           clk_i,
  /// Synchronous reset, active low.
  input  logic           rst_ni,
  /// Begin with the first instruction.
  input  logic           start_i,
  /// How many instructions there are.
  input  logic [PcW:0]   count_i,
  /// Number of the instruction that is carried out.
  output logic [PcW:0]   pc_o,
  /// That instruction.
  input  instruction_t   instruction_i,
  /// The instruction after it waits for its results.
  input  logic           next_waits_i,
  /// How many instructions have all their results written.
  input  logic [PcW:0]   written_i,
  /// A beat of the layer's last tile has left the array.
  input  logic           leaving_i,
  /// Number of the token in its tile: the line of weights that it needs.
  output logic [19:0]    index_o,
  /// That line is there.
  input  logic           there_i,
  /// The token of this cycle.
  output token_t         token_o,
  /// It is the first token of a column tile's first position tile.
  output logic           restart_o,
  /// It is the last one that needs these weights.
  output logic           release_o,
  /// Its position tile is the last one.
  output logic           last_rows_o,
  /// Its column tile is the last one.
  output logic           last_columns_o,
  /// It is the last word of a pixel.
  output logic           last_word_o,
  /// What this cycle is spent on.
  output phase_e         phase_o,
  /// It is the instruction's last one.
  output logic           leave_o,
  /// All instructions are carried out.
  output logic           done_o
);

  typedef enum logic [1:0] {
    Ready,
    Run,
    Pause,
    Finish
  } state_e;

  state_e      state_q;
  logic [15:0] word_q;
  logic [9:0]  kernel_x_q;
  logic [9:0]  kernel_y_q;
  logic [23:0] offset_q;
  logic [19:0] index_q;
  logic [23:0] position_q;
  logic [15:0] column_q;
  logic [7:0]  gap_q;
  logic        over_q;

  logic issue;
  logic word_end;
  logic row_end;
  logic tile_end;
  logic last_tile;
  logic final_layer;
  logic waits;
  logic tile_done;
  logic layer_done;

  assign word_end       = word_q == instruction_i.words - 16'd1;
  assign row_end        = word_end && kernel_x_q == instruction_i.kernel_w - 10'd1;
  assign tile_end       = row_end && kernel_y_q == instruction_i.kernel_h - 10'd1;
  assign last_rows_o    = position_q == instruction_i.position_tiles - 24'd1;
  assign last_columns_o = column_q == instruction_i.column_tiles - 16'd1;
  assign last_word_o    = word_end;
  assign last_tile      = last_rows_o && last_columns_o;
  assign final_layer    = pc_o + 1'b1 == count_i;
  assign waits          = final_layer || next_waits_i;
  assign issue          = state_q == Run && there_i;
  assign release_o      = issue && tile_end && last_rows_o;
  assign restart_o      = issue && index_q == '0 && position_q == '0;
  assign index_o        = index_q;

  // The tile is over with its last token, or with the last cycle of the pause after it.
  assign tile_done = issue && tile_end && instruction_i.gap == '0 || state_q == Pause && gap_q == 8'd1;
  assign layer_done = tile_done && (state_q == Pause ? over_q : last_tile);
  assign leave_o   = state_q == Finish ? written_i == pc_o + 1'b1 : layer_done && !waits;

  assign token_o.tag.valid    = issue;
  assign token_o.tag.last     = issue && tile_end;
  assign token_o.tag.mode     = instruction_i.mode;
  assign token_o.tag.a_signed = instruction_i.a_signed;
  assign token_o.tag.b_signed = instruction_i.b_signed;
  assign token_o.first        = issue && index_q == '0;
  assign token_o.offset       = offset_q;
  assign token_o.kernel_y     = 12'(kernel_y_q);
  assign token_o.kernel_x     = 12'(kernel_x_q);

  always_comb begin
    unique case (state_q)
      Run: phase_o = issue ? Busy : Stalled;
      Pause: phase_o = Gap;
      Finish: phase_o = leaving_i ? Drain : Fill;
      default: phase_o = Idle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q    <= Ready;
      done_o     <= 1'b0;
      pc_o       <= '0;
      word_q     <= '0;
      kernel_x_q <= '0;
      kernel_y_q <= '0;
      offset_q   <= '0;
      index_q    <= '0;
      position_q <= '0;
      column_q   <= '0;
      gap_q      <= '0;
      over_q     <= 1'b0;
    end else begin
      done_o <= 1'b0;
      if (issue) begin
        word_q  <= word_end ? '0 : word_q + 16'd1;
        index_q <= tile_end ? '0 : index_q + 20'd1;
        if (word_end) kernel_x_q <= row_end ? '0 : kernel_x_q + 10'd1;
        if (row_end) kernel_y_q <= tile_end ? '0 : kernel_y_q + 10'd1;
        if (tile_end) offset_q <= '0;
        else if (row_end) offset_q <= offset_q + instruction_i.step_y;
        else if (word_end) offset_q <= offset_q + instruction_i.step_x;
        else offset_q <= offset_q + 24'd1;
        if (tile_end) begin
          position_q <= last_rows_o ? '0 : position_q + 24'd1;
          if (last_rows_o) column_q <= last_columns_o ? '0 : column_q + 16'd1;
          gap_q  <= instruction_i.gap;
          over_q <= last_tile;
        end
      end
      unique case (state_q)
        Ready: begin
          if (start_i) begin
            state_q <= Run;
            pc_o    <= '0;
          end
        end
        Run, Pause: begin
          if (state_q == Pause) gap_q <= gap_q - 8'd1;
          if (layer_done && waits) state_q <= Finish;
          else if (tile_done) state_q <= Run;
          else if (issue && tile_end) state_q <= Pause;
          if (layer_done && !waits) pc_o <= pc_o + 1'b1;
        end
        default: begin
          if (leave_o) begin
            state_q <= final_layer ? Ready : Run;
            done_o  <= final_layer;
            pc_o    <= pc_o + 1'b1;
          end
        end
      endcase
    end
  end

endmodule
