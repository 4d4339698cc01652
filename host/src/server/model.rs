//! What goes over the wire: the shapes of requests and answers, the same for the service and for its clients.
//!
//! Numbers are counts or positions unless a name ends in a unit. Times are RFC 3339 in UTC.

mod comparison;
mod contents;
mod cost;
mod entry;
pub mod erasure;
mod event;
mod faults;
mod past;
mod plugin;
mod projection;
mod provenance;
mod receipt;
mod retention;
mod token;

pub use comparison::{Compared, Comparison, Differing, FirstDifference};
pub use contents::{Contents, CustomSections, Dependency, Extent, Import, Module, Producer};
pub use cost::{CostlyEvent, Costs, Explained, Quota};
pub use entry::{AsOf, Entry, KeyHistory, KeyValue, Ran, StatePage};
pub use event::{
    Appended, BadLine, DroppedPayload, Event, EventPage, Imported, Log, Placed, StreamExpectation, StreamPage,
    VerifiedLog,
};
pub use faults::{
    Action, DebugFailure, DebugOutcome, Debugged, DebuggedEvent, QuarantinePage, QuarantinedStream, StateAccess,
};
pub use past::{Keep, Kept, Snapshot};
pub use plugin::{Installed, Plugin, PluginDetails, Step, View};
pub use projection::{Compiling, Fault, NewProjection, OnFault, Phase, Progress, Projection, State, Upgrade, Verified};
pub use provenance::{NewPublisher, Publisher, Requirement, Signature, Source, Standing, Trust};
pub use receipt::{CheckedReceipt, HostKey};
pub use retention::{
    ArchiveFile, Blocked, FoldedEvents, Missing, OnDropped, Policy, RestoredArchive, Retention, RetentionCounts,
    RetentionGroup, RetentionPlan, RetentionProgress, RetentionRule, RetentionRun,
};
pub use token::{MadeToken, NewToken, Scope, Token};
