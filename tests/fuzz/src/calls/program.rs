//! Programs of host calls, read from any bytes. The guest that runs them and the model that foretells what comes of
//! them share this file, and nothing else.

/// A host call, or an end.
pub(crate) enum Op {
    Get(String),
    GetMany(Vec<String>),
    Put(String, Vec<u8>),
    Delete(String),
    Write(Vec<(String, Option<Vec<u8>>)>),
    Scan {
        prefix: String,
        after: Option<String>,
        limit: u32,
    },
    /// Of an event of this call or of none.
    Envelope(u64),
    Parameters,
    Log(u8, String),
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    /// What runtimes of languages ask of WASI; what is answered is the same in every run.
    Wasi(u8),
    /// A call with numbers that are no addresses of anything: behind it nothing is foretold.
    Raw {
        function: u8,
        arguments: [u32; 7],
    },
    Error(String),
    Trap,
    Exit,
}

/// The calls of a program, to the end of its bytes.
pub(crate) fn parse(bytes: &[u8]) -> Vec<Op> {
    let mut input = Input(bytes);
    let mut ops = Vec::new();
    while ops.len() < OPS_MAX
        && let Some(op) = input.op()
    {
        ops.push(op);
    }
    ops
}

/// So that no program takes long, or all fuel.
const OPS_MAX: usize = 64;

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn op(&mut self) -> Option<Op> {
        Some(match self.byte()? % 18 {
            0 | 1 => Op::Get(self.text()?),
            2 => Op::GetMany(self.many(Self::text)?),
            3..=5 => Op::Put(self.text()?, self.bytes()?),
            6 => Op::Delete(self.text()?),
            7 => Op::Write(self.many(|input| Some((input.text()?, input.maybe(Self::bytes)?)))?),
            8 | 9 => Op::Scan { prefix: self.text()?, after: self.maybe(Self::text)?, limit: self.number()? as u32 },
            10 => Op::Envelope(self.number()?),
            11 => Op::Parameters,
            12 => Op::Log(self.byte()? % 5, self.text()?),
            13 => Op::Stdout(self.bytes()?),
            14 => Op::Stderr(self.bytes()?),
            15 => Op::Wasi(self.byte()?),
            16 => {
                let function = self.byte()?;
                let mut arguments = [0; 7];
                for argument in &mut arguments {
                    *argument = self.number()? as u32;
                }
                Op::Raw { function, arguments }
            }
            _ => match self.byte()? {
                0..=99 => Op::Error(self.text()?),
                100..=199 => Op::Trap,
                200.. => Op::Exit,
            },
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A small number in one byte, any other in nine.
    fn number(&mut self) -> Option<u64> {
        match self.byte()? {
            0xff => Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            small => Some(small.into()),
        }
    }

    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.byte()? % 3 == 0 { Some(None) } else { read(self).map(Some) }
    }

    fn many<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.byte()? % 16;
        (0..count).map(|_| read(self)).collect()
    }

    /// Mostly one of a few, so that calls meet; else what the bytes say.
    fn text(&mut self) -> Option<String> {
        const FEW: [&str; 16] = [
            "a",
            "a/",
            "a/1",
            "a/2",
            "a/10",
            "b",
            "b/1",
            "",
            "\0",
            "\u{7f}",
            "ü",
            "üb",
            "\u{ffff}",
            "\u{10ffff}",
            "~",
            "A",
        ];
        Some(match self.byte()? {
            few @ 0..0xa0 => FEW[usize::from(few) % FEW.len()].to_owned(),
            // Around what a key may have, in characters of one byte and of three.
            long @ 0xa0..0xb0 => "k".repeat(56 + usize::from(long - 0xa0)),
            long @ 0xb0..0xc0 => "€".repeat(14 + usize::from(long - 0xb0)),
            literal => String::from_utf8_lossy(self.take(usize::from(literal - 0xc0))?).into_owned(),
        })
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        Some(match self.byte()? {
            literal @ 0..0xc0 => self.take(literal.into())?.to_vec(),
            // Up to and a little over what a value may have.
            large => vec![large; usize::from(large - 0xc0) * 66],
        })
    }
}

/// What a program was answered, call by call: a number that each answer changes.
#[derive(Default)]
pub(crate) struct Transcript(pub(crate) Vec<u8>, u64);

impl Transcript {
    /// Ends a call's answer.
    pub(crate) fn end(&mut self) {
        self.0.extend_from_slice(&self.1.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        // FNV-1a.
        for byte in bytes {
            self.1 = (self.1 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.1 = (self.1 ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }

    pub(crate) fn maybe(&mut self, bytes: Option<&[u8]>) {
        self.number(bytes.is_some().into());
        self.bytes(bytes.unwrap_or_default());
    }
}

/// Where a call's transcript goes, if it comes to its end.
pub(crate) const TRANSCRIPT: &str = "transcript";
