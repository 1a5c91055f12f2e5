// SPDX-License-Identifier: Apache-2.0

/// Constants of the bitwise systolic multiplier, computed at elaboration from the container width and the listed widths.
///
/// Words used throughout. An operand is a *container* of N bits that holds N/p *channels* of p bits each. A listed width
/// is named by its *index*: its rank, smallest first, in the list; the index is also the mode code on the ports. Cell
/// (i, j) multiplies bit i of b by bit j of a and lies on *anti-diagonal* d = i + j.
///
/// A list of widths is written as a set of bits: bit w is set when width w is listed (1, 2, 4 and 8 are 32'h116). So a
/// list has one spelling, can be given on any tool's command line, and can still be wrong and refused.
package bitsys_pkg;

  /// Most widths that a list can hold: 1, 2, 4, 8, 16.
  localparam int unsigned MaxWidths = 5;

  /// Index that stands for "no listed width".
  localparam int unsigned Never = MaxWidths;

  /// One flag for each index.
  typedef logic [MaxWidths-1:0] flags_t;

  /// Whether a container width is supported.
  function automatic bit container_ok(int unsigned n);
    return n == 4 || n == 8 || n == 16;
  endfunction

  /// Whether every listed width is a power of two and at most n, and at least one is listed.
  function automatic bit widths_ok(int unsigned n, int unsigned widths);
    return widths != 0 && (widths & ~32'h0001_0116) == 0 && (widths >> n) <= 1;
  endfunction

  /// How many widths are listed.
  function automatic int unsigned num_widths(int unsigned widths);
    int unsigned count;
    count = 0;
    for (int unsigned e = 0; e < MaxWidths; e++) if (widths[1<<e]) count++;
    return count == 0 ? 1 : count;
  endfunction

  /// Bits of a mode code (one, held at zero, when a single width is listed).
  function automatic int unsigned mode_bits(int unsigned widths);
    return num_widths(widths) > 2 ? $clog2(num_widths(widths)) : 1;
  endfunction

  /// Listed width with the given index; 1 beyond the list, so that constant functions stay total.
  function automatic int unsigned width_of(int unsigned widths, int unsigned index);
    int unsigned seen;
    seen = 0;
    for (int unsigned e = 0; e < MaxWidths; e++) begin
      if (widths[1<<e]) begin
        if (seen == index) return 1 << e;
        seen++;
      end
    end
    return 1;
  endfunction

  /// Index of the smallest listed width whose channels keep bits i and j together; Never when there is none.
  /// Cell (i, j) is active exactly in the modes of this index and above.
  function automatic int unsigned first_index(int unsigned widths, int unsigned i, int unsigned j);
    for (int unsigned k = 0; k < num_widths(widths); k++) begin
      if (i / width_of(widths, k) == j / width_of(widths, k)) return k;
    end
    return Never;
  endfunction

  /// Per index: bit i is the sign bit of its channel.
  function automatic flags_t tops(int unsigned widths, int unsigned i);
    flags_t found;
    found = '0;
    for (int unsigned k = 0; k < MaxWidths; k++) begin
      found[k] = i % width_of(widths, k) == width_of(widths, k) - 1;
    end
    return found;
  endfunction

  /// Whether a channel of width p ends at result bit d, so that no carry may leave it.
  function automatic bit is_fence(int unsigned p, int unsigned d);
    return (d + 1) % (2 * p) == 0;
  endfunction

  /// Per index: a channel ends at result bit d.
  function automatic flags_t fences(int unsigned widths, int unsigned d);
    flags_t found;
    found = '0;
    for (int unsigned k = 0; k < MaxWidths; k++) found[k] = is_fence(width_of(widths, k), d);
    return found;
  endfunction

  /// Per index: the Baugh-Wooley constant at result bit d when exactly one operand is signed, 2^(p-1) + 2^(2p-1) in each
  /// channel of 2p bits.
  function automatic flags_t constants_one(int unsigned widths, int unsigned d);
    flags_t found;
    found = '0;
    for (int unsigned k = 0; k < MaxWidths; k++) begin
      found[k] = (d + 1) % width_of(widths, k) == 0;
    end
    return found;
  endfunction

  /// Per index: the constant when both operands are signed, 2^p + 2^(2p-1). At p = 1 that request means bipolar operands,
  /// whose field is 1 + 2 (a xor b); the one is this constant.
  function automatic flags_t constants_both(int unsigned widths, int unsigned d);
    flags_t found;
    found = '0;
    for (int unsigned k = 0; k < MaxWidths; k++) begin
      found[k] = d % (2 * width_of(widths, k)) == width_of(widths, k) || is_fence(width_of(widths, k), d);
      if (width_of(widths, k) == 1) found[k] = d % 2 == 0;
    end
    return found;
  endfunction

  /// Active cells on anti-diagonal d at width p.
  function automatic int unsigned cells_of(int unsigned p, int unsigned d);
    int unsigned place;
    place = d % (2 * p);
    return place < p ? place + 1 : 2 * p - 1 - place;
  endfunction

  /// Largest sum on anti-diagonal d at width p: its cells, its constant if one can be there, and the carry into it.
  function automatic int unsigned sum_of(int unsigned p, int unsigned d);
    int unsigned carry;
    int unsigned sum;
    int unsigned place;
    carry = 0;
    sum = 0;
    for (int unsigned e = 0; e <= d; e++) begin
      place = e % (2 * p);
      sum   = cells_of(p, e) + carry;
      if (place == p - 1 || place == p || place == 2 * p - 1 || p == 1) sum++;
      carry = is_fence(p, e) ? 0 : sum / 2;
    end
    return sum;
  endfunction

  /// Bits of the count of anti-diagonal d in any listed mode.
  function automatic int unsigned count_bits(int unsigned widths, int unsigned d);
    int unsigned most;
    most = 0;
    for (int unsigned k = 0; k < num_widths(widths); k++) begin
      if (cells_of(width_of(widths, k), d) > most) begin
        most = cells_of(width_of(widths, k), d);
      end
    end
    return bits_for(most);
  endfunction

  /// Bits of the sum of anti-diagonal d in any listed mode.
  function automatic int unsigned sum_bits(int unsigned widths, int unsigned d);
    int unsigned most;
    most = 0;
    for (int unsigned k = 0; k < num_widths(widths); k++) begin
      if (sum_of(width_of(widths, k), d) > most) most = sum_of(width_of(widths, k), d);
    end
    return bits_for(most);
  endfunction

  /// Bits that hold every number from zero to `most`, at least one.
  function automatic int unsigned bits_for(int unsigned most);
    return most < 2 ? 1 : $clog2(most + 1);
  endfunction

endpackage
