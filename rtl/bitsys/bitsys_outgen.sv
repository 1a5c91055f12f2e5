// SPDX-License-Identifier: Apache-2.0

/// From partial products to products: count each anti-diagonal, add the counts from the least significant anti-diagonal
/// upwards with carries, and line the finished bits up.
///
/// Anti-diagonal d has weight 2^d in every mode, so no wire depends on the mode. Each has two ranks of registers: its
/// count, then its result bit and the carry out of it. A fence clears the carry at the end of a channel.
module bitsys_outgen #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths)
) (
  /// Clock, rising edge.
  input  logic                  clk_i,
  /// Partial products, element [i][j] for the token on anti-diagonal i + j.
  input  logic [N-1:0][N-1:0]   pp_i,
  /// Operand a is signed, for the token that left anti-diagonal d - 1 in the previous cycle and is being added.
  input  logic [2*N-1:1]        a_signed_d_i,
  /// As a_signed_d_i, operand b.
  input  logic [2*N-1:1]        b_signed_d_i,
  /// As a_signed_d_i: the token is bipolar.
  input  logic [2*N-1:1]        bipolar_d_i,
  /// As a_signed_d_i: bit k says that the token's width is smaller than listed width k.
  input  logic [2*N-1:1][M-1:0] narrow_d_i,
  /// Packed products, all bits of one token.
  output logic [2*N-1:0]        product_o
);

  localparam int unsigned Top = 2 * N - 2;  // the last anti-diagonal; its carry is the last result bit
  localparam int unsigned CarryW = bitsys_pkg::bits_for(N);  // no carry exceeds N

  // Carry into anti-diagonal d, of which only the bits that can be set are registers.
  logic [Top:0][CarryW-1:0] carry;

  assign carry[0] = '0;

  for (genvar d = 0; d <= Top; d++) begin : gen_diagonal
    localparam int unsigned Cells = d < N ? d + 1 : 2 * N - 1 - d;
    localparam int unsigned First = d < N ? 0 : d - N + 1;  // its rows are First to d - First
    localparam int unsigned CountW = bitsys_pkg::count_bits(Widths, d);
    localparam int unsigned SumW = d == Top ? 2 : bitsys_pkg::sum_bits(Widths, d);

    logic [Cells-1:0]                       bits;
    logic [bitsys_pkg::bits_for(Cells)-1:0] ones;
    logic [CountW-1:0]                      count_q;
    logic                                   constant;
    logic [SumW-1:0]                        sum;
    logic                                   unused_lsb;

    // From the outside in: far from the main diagonal most cells are plain ANDs, and three of those with their full
    // adder fit two six-input LUTs.
    for (genvar c = 0; c < Cells; c++) begin : gen_cell
      localparam int unsigned Row = c % 2 == 0 ? First + c / 2 : d - First - c / 2;
      assign bits[c] = pp_i[Row][d-Row];
    end

    bitsys_popcount #(
      .Width(Cells)
    ) u_count (
      .bits_i(bits),
      .count_o(ones)
    );

    always_ff @(posedge clk_i) count_q <= CountW'(ones);

    bitsys_constant #(
      .Widths(Widths),
      .Bit(d)
    ) u_constant (
      .a_signed_i(a_signed_d_i[d+1]),
      .b_signed_i(b_signed_d_i[d+1]),
      .narrow_i(narrow_d_i[d+1]),
      .constant_o(constant)
    );

    if (d == Top) begin : gen_top
      logic top_constant;
      bitsys_constant #(
        .Widths(Widths),
        .Bit(d + 1)
      ) u_constant (
        .a_signed_i(a_signed_d_i[d+1]),
        .b_signed_i(b_signed_d_i[d+1]),
        .narrow_i(narrow_d_i[d+1]),
        .constant_o(top_constant)
      );
      assign sum = {top_constant, count_q} + SumW'(carry[d]) + SumW'(constant);
      assign unused_lsb = 1'b0;
      always_ff @(posedge clk_i) begin
        product_o[d+1] <= sum[1];
        if (bipolar_d_i[d+1]) product_o[d] <= 1'b1;
        else product_o[d] <= sum[0];
      end
    end else begin : gen_inner
      localparam int unsigned NextW = SumW > 1 ? SumW - 1 : 1;
      logic [NextW-1:0] carry_q;
      logic             bit_q;
      logic             fence;

      // The constant enters as the carry into the lowest bit, where a carry chain takes it for nothing.
      assign {sum, unused_lsb} = {SumW'(count_q), constant} + {SumW'(carry[d]), constant};

      bitsys_pick #(
        .M(M),
        .Flags(bitsys_pkg::fences(Widths, d))
      ) u_fence (
        .narrow_i(narrow_d_i[d+1]),
        .flag_o(fence)
      );

      always_ff @(posedge clk_i) begin
        if (fence) carry_q <= '0;
        else carry_q <= NextW'(sum >> 1);
      end
      assign carry[d+1] = CarryW'(carry_q);

      // A bipolar field is 1 + 2 (a xor b): the cell gives a xor b and the constant is one, so the carry is right and the
      // bit itself is one.
      if (d % 2 == 0 && bitsys_pkg::width_of(Widths, 0) == 1) begin : gen_bipolar
        always_ff @(posedge clk_i) begin
          if (bipolar_d_i[d+1]) bit_q <= 1'b1;
          else bit_q <= sum[0];
        end
      end else begin : gen_plain
        always_ff @(posedge clk_i) bit_q <= sum[0];
      end

      bitsys_delay #(
        .Depth(Top - d)
      ) u_align (
        .clk_i,
        .d_i(bit_q),
        .q_o(product_o[d])
      );
    end
  end

endmodule
