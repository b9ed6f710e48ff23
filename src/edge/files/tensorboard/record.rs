//! TFRecord framing: length, masked CRC32C of the length, bytes, masked CRC32C of the bytes; all little-endian.
//!
//! Source: the format's description at TensorFlow's `TFRecordWriter`; CRC32C is Castagnoli's polynomial (RFC 3720).

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let index = usize::from(crc as u8 ^ byte);
        (crc >> 8) ^ TABLE.get(index).copied().unwrap_or_default()
    };
    !bytes.iter().fold(!0, step)
}

/// The checksum of the format: a CRC of bytes that hold CRCs themselves would be a weak one.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes one record.
pub(super) fn write(bytes: &[u8], out: &mut Vec<u8>) {
    let length = (bytes.len() as u64).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked(&length).to_le_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(&masked(bytes).to_le_bytes());
}

/// The records of a file up to the first that is torn.
pub(super) fn read(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = file.split_first_chunk::<8>()?;
        let (check, rest) = rest.split_first_chunk::<4>()?;
        if masked(length) != u32::from_le_bytes(*check) {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let (check, rest) = rest.split_first_chunk::<4>()?;
        if masked(bytes) != u32::from_le_bytes(*check) {
            return None;
        }
        file = rest;
        Some(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnoli_s() {
        // The test vectors of RFC 3720, appendix B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_are_read_up_to_the_first_torn_one() {
        let mut file = Vec::new();
        write(b"first", &mut file);
        write(b"", &mut file);
        let whole = file.len();
        write(b"third", &mut file);
        for end in whole..file.len() {
            assert_eq!(read(&file[..end]).collect::<Vec<_>>(), [&b"first"[..], b""]);
        }
        assert_eq!(read(&file).count(), 3);
        file[whole + 13] ^= 1;
        assert_eq!(read(&file).count(), 2);
    }
}
