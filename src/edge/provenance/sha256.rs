//! SHA-256, as FIPS 180-4 defines it.

use std::io::{self, Read};

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// The first 32 bits of the fractional parts of the square roots of the first eight primes.
const BEGIN: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The hash of all that `source` gives, in hexadecimal digits, and how many bytes that was.
pub(super) fn of(mut source: impl Read) -> io::Result<(String, u64)> {
    let (mut state, mut length) = (BEGIN, 0);
    loop {
        let mut rest = Vec::with_capacity(64 << 10);
        let read = source.by_ref().take(64 << 10).read_to_end(&mut rest)?;
        length += read as u64;
        let last = read < 64 << 10;
        if last {
            rest.push(0x80);
            rest.resize((rest.len() + 8).next_multiple_of(64) - 8, 0);
            rest.extend((length * 8).to_be_bytes());
        }
        rest.as_chunks().0.iter().for_each(|block| mix(&mut state, block));
        if last {
            return Ok((state.iter().map(|word| format!("{word:08x}")).collect(), length));
        }
    }
}

fn mix(state: &mut [u32; 8], block: &[u8; 64]) {
    let mut words: Vec<u32> = block.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
    for at in 0..48 {
        let [a, b, c, d] = [words[at], words[at + 1], words[at + 9], words[at + 14]];
        let low = b.rotate_right(7) ^ b.rotate_right(18) ^ (b >> 3);
        let high = d.rotate_right(17) ^ d.rotate_right(19) ^ (d >> 10);
        words.push(a.wrapping_add(low).wrapping_add(c).wrapping_add(high));
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, k) in words.into_iter().zip(K) {
        let turned = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let chosen = (e & f) ^ (!e & g);
        let one = h.wrapping_add(turned).wrapping_add(chosen).wrapping_add(k).wrapping_add(word);
        let turned = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = turned.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
    }
    for (word, added) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(added);
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    fn hash(bytes: &[u8]) -> String {
        of(bytes).unwrap().0
    }

    /// From FIPS 180-4's examples, and the lengths at which the padding takes another block.
    #[test]
    fn it_is_sha_256() {
        assert_eq!(hash(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hash(two_blocks), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        let million = vec![b'a'; 1_000_000];
        assert_eq!(hash(&million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        assert_eq!(of(million.as_slice()).unwrap().1, 1_000_000);
    }

    /// What Python's hashlib says.
    #[test]
    fn the_padding_is_right_at_every_edge() {
        assert_eq!(hash(&[7; 55]), "943cc61860776ca8e78a365d988036ed2ade2ca4aca3236dd9501adc4fbbaa27");
        assert_eq!(hash(&[7; 56]), "849e6994b02d460680d1d4d9ed690aa35811c88056987e0b6cad0eb85cb7d98d");
        assert_eq!(hash(&[7; 63]), "4267755c91adbe48467358342d80bda027985cda840cea5aef936cdc0aa6138e");
        assert_eq!(hash(&[7; 64]), "6cfeeb3aa25d3f411dae5eec17d7369ca7153e72dcf54bcf4c3daec0f5b21fc7");
        assert_eq!(hash(&[7; 65536]), "07dcb6d11a03624831513672ffdb84d6b1730f54e90aaace444fe3a8ea9b2163");
    }
}
