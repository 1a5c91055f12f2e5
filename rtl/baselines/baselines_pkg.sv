// SPDX-License-Identifier: Apache-2.0

/// What the rival multipliers share: their names as a parameter, and constants computed at elaboration.
package baselines_pkg;

  /// Kinds of multiplier, as values of the parameter `Kind`, which is a plain number so that any tool's command line can
  /// give it: bitwise systolic; tree of 2 x 2 multipliers; shift-and-add with an adder a bit of b; the same with one
  /// adder, a bit a cycle; plain multiplication of one channel.
  typedef enum int unsigned {
    BitSys,
    MTree,
    BitShift,
    BitSerial,
    Fixed
  } kind_e;

  /// Cycles from a token of width `width` to its products, in a multiplier of N = n bits.
  function automatic int unsigned mul_latency(int unsigned kind, int unsigned n, int unsigned width);
    case (kind)
      MTree: return 2 * $clog2(n);
      BitShift: return n + 2;
      BitSerial: return width + 2;
      Fixed: return $clog2(n) + 2;
      default: return 2 * n + 1;
    endcase
  endfunction

  /// Cycles from the last token of a dot product, of width `width`, to the sum.
  function automatic int unsigned mac_latency(int unsigned kind, int unsigned n, int unsigned widths,
                                              int unsigned width);
    return mul_latency(kind, n, width) + 2 + (kind == Fixed ? 0 : $clog2(n / bitsys_pkg::width_of(widths, 0)));
  endfunction

  /// The widest listed width.
  function automatic int unsigned widest(int unsigned widths);
    return bitsys_pkg::width_of(widths, bitsys_pkg::num_widths(widths) - 1);
  endfunction

  /// Index of the smallest listed width that is at least `width`; bitsys_pkg::Never when there is none.
  function automatic int unsigned index_from(int unsigned widths, int unsigned width);
    for (int unsigned k = 0; k < bitsys_pkg::num_widths(widths); k++) begin
      if (bitsys_pkg::width_of(widths, k) >= width) return k;
    end
    return bitsys_pkg::Never;
  endfunction

  /// How many ones the number ends in, in binary; bit k tops the channels of widths up to 2 to that power.
  function automatic int unsigned ones_below(int unsigned k);
    int unsigned count;
    count = 0;
    while (((k >> count) & 1) != 0) count++;
    return count;
  endfunction

  /// As bitsys_pkg::constants_one without the constant at the top end of each channel.
  function automatic bitsys_pkg::flags_t low_constants_one(int unsigned widths, int unsigned d);
    return bitsys_pkg::constants_one(widths, d) & ~bitsys_pkg::fences(widths, d);
  endfunction

  /// As bitsys_pkg::constants_both without the constant at the top end of each channel.
  function automatic bitsys_pkg::flags_t low_constants_both(int unsigned widths, int unsigned d);
    return bitsys_pkg::constants_both(widths, d) & ~bitsys_pkg::fences(widths, d);
  endfunction

endpackage
