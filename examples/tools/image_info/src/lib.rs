//! Reads the format and the size of an image from its header.

wit_bindgen::generate!({ path: "world.wit" });

use exports::example::image_info::headers::{Format, Guest, Image, Problem};

struct Component;

export!(Component);

impl Guest for Component {
    fn inspect(file: Vec<u8>) -> Result<Image, Problem> {
        let file = Bytes(&file);
        if file.begins_with(b"\x89PNG\r\n\x1a\n") {
            png(file)
        } else if file.begins_with(b"\xff\xd8\xff") {
            jpeg(file)
        } else if file.begins_with(b"GIF87a") || file.begins_with(b"GIF89a") {
            gif(file)
        } else if file.begins_with(b"RIFF") && file.array(8)? == *b"WEBP" {
            webp(file)
        } else {
            Err(Problem::UnknownFormat)
        }
    }
}

/// A file that may end anywhere.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn begins_with(self, magic: &[u8]) -> bool {
        self.0.starts_with(magic)
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Problem> {
        let end = at.saturating_add(N);
        let bytes = self.0.get(at..end).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or(Problem::Truncated((end - self.0.len()) as u64))
    }

    fn u8(self, at: usize) -> Result<u8, Problem> {
        self.array(at).map(u8::from_be_bytes)
    }

    fn u16_be(self, at: usize) -> Result<u16, Problem> {
        self.array(at).map(u16::from_be_bytes)
    }

    fn u16_le(self, at: usize) -> Result<u16, Problem> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u24_le(self, at: usize) -> Result<u32, Problem> {
        let [low, middle, high] = self.array(at)?;
        Ok(u32::from_le_bytes([low, middle, high, 0]))
    }

    fn u32_be(self, at: usize) -> Result<u32, Problem> {
        self.array(at).map(u32::from_be_bytes)
    }

    fn u32_le(self, at: usize) -> Result<u32, Problem> {
        self.array(at).map(u32::from_le_bytes)
    }
}

fn malformed(part: &str) -> Problem {
    Problem::Malformed(part.to_owned())
}

/// The signature, then the chunk IHDR, which has to be the first.
fn png(file: Bytes) -> Result<Image, Problem> {
    if file.array(12)? != *b"IHDR" {
        return Err(malformed("the first chunk"));
    }
    Ok(Image {
        format: Format::Png,
        width: file.u32_be(16)?,
        height: file.u32_be(20)?,
        bits: file.u8(24)?,
    })
}

fn gif(file: Bytes) -> Result<Image, Problem> {
    Ok(Image {
        format: Format::Gif,
        width: file.u16_le(6)?.into(),
        height: file.u16_le(8)?.into(),
        bits: (file.u8(10)? >> 4 & 7) + 1,
    })
}

/// Segments, one after the other, up to the one that begins a frame. Each has a marker and, but for a few, a length.
fn jpeg(file: Bytes) -> Result<Image, Problem> {
    let mut at = 2;
    loop {
        match (file.u8(at)?, file.u8(at + 1)?) {
            // A marker may be preceded by any number of these.
            (0xff, 0xff) => at += 1,
            (0xff, 0x01 | 0xd0..=0xd7) => at += 2,
            // Tables of another coding share the numbers of the frames.
            (0xff, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => {
                return Ok(Image {
                    format: Format::Jpeg,
                    width: file.u16_be(at + 7)?.into(),
                    height: file.u16_be(at + 5)?.into(),
                    bits: file.u8(at + 4)?,
                });
            }
            // The picture's data, or its end: no frame has been begun.
            (0xff, 0xd9 | 0xda) => return Err(malformed("a scan without a frame")),
            (0xff, _) => match file.u16_be(at + 2)? {
                0 | 1 => return Err(malformed("a segment's length")),
                length => at += 2 + usize::from(length),
            },
            _ => return Err(malformed("a marker")),
        }
    }
}

/// One of three kinds of first chunk: lossy, lossless, or the header of an extended file.
fn webp(file: Bytes) -> Result<Image, Problem> {
    let (width, height) = match &file.array(12)? {
        b"VP8 " => {
            if file.array(23)? != [0x9d, 0x01, 0x2a] {
                return Err(malformed("the key frame"));
            }
            // The two highest bits say how to scale what is decoded.
            let side = |at| file.u16_le(at).map(|side| u32::from(side & 0x3fff));
            (side(26)?, side(28)?)
        }
        b"VP8L" => {
            if file.u8(20)? != 0x2f {
                return Err(malformed("the signature of the lossless data"));
            }
            let bits = file.u32_le(21)?;
            ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        b"VP8X" => (file.u24_le(24)? + 1, file.u24_le(27)? + 1),
        _ => return Err(malformed("the first chunk")),
    };
    Ok(Image {
        format: Format::Webp,
        width,
        height,
        bits: 8,
    })
}
