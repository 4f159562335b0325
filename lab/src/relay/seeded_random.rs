//! Reproducible randomness: a number is derived from a seed and from what it is used for.

/// A number from 0 to 1, the same for the same seed and parts.
pub(super) fn draw(seed: u64, parts: &[u64]) -> f64 {
    #![expect(
        clippy::cast_precision_loss,
        reason = "a double holds 53 bits exactly, and that is what is left"
    )]
    let mixed = parts.iter().fold(mix(seed), |state, part| mix(state ^ mix(*part)));
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
