//! What a plugin says beside its answer: log messages, standard output and standard error, all bounded.

use super::Limits;

/// What a plugin said during one call. It explains failures and never becomes part of a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub log: Vec<LogMessage>,
    /// How many further messages were dropped.
    pub log_dropped: u64,
    pub stdout: Vec<u8>,
    /// How many further bytes were dropped.
    pub stdout_dropped: u64,
    pub stderr: Vec<u8>,
    /// How many further bytes were dropped.
    pub stderr_dropped: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    pub level: LogLevel,
    pub text: String,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Output {
    pub(super) fn log(&mut self, limits: &Limits, level: LogLevel, mut text: String) {
        if self.log.len() >= limits.log_messages {
            self.log_dropped += 1;
            return;
        }
        if text.len() > limits.log_message_bytes {
            text.truncate(text.floor_char_boundary(limits.log_message_bytes));
            text.push('…');
            text.shrink_to_fit();
        }
        self.log.push(LogMessage { level, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_and_further_ones_counted() {
        let limits = Limits { log_message_bytes: 4, log_messages: 2, ..Limits::default() };
        let mut output = Output::default();
        for text in ["abcd", "abcä", "x", "y"] {
            output.log(&limits, LogLevel::Info, text.to_owned());
        }
        let texts: Vec<_> = output.log.iter().map(|message| message.text.as_str()).collect();
        assert_eq!((texts.as_slice(), output.log_dropped), (["abcd", "abc…"].as_slice(), 2));
    }
}
