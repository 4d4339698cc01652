//! What a projection does about events that it wants and whose payloads a retention policy let go.

use serde::{Deserialize, Serialize};

/// Never about what was erased: that is left out, and counted, whatever the projection says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DroppedPolicy {
    /// Read them from the archive; what that lacks is an error.
    #[default]
    Archive,
    /// Go on without them, and count them.
    Accept,
    /// Do not make a state without them, and do not read the archive.
    Refuse,
}

impl DroppedPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Accept => "accept",
            Self::Refuse => "refuse",
        }
    }

    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Why a state is not made, and the ways out.
    pub(super) fn refusal(self) -> &'static str {
        match self {
            Self::Archive => {
                "and no archive has them: put the archive's files back, or go on without them by `polyfold projection \
                 upgrade --dropped accept`"
            }
            Self::Accept => "and the state was made with them: only a snapshot behind them can be gone on from",
            Self::Refuse => {
                "and the projection refuses to go on without them: `polyfold projection upgrade --dropped archive` reads \
                 them from the archive, `--dropped accept` leaves them out"
            }
        }
    }
}
