//! What the API and the workers must agree on: names, states, settings, job payloads, all SQL, events.
//!
//! Read in this order: the words (`names` to `generation`), what crosses a border (`wire`, `jobs`), what is stored
//! (`db`, `events`), and how a process is set up (`settings`, `telemetry`, `os`).

pub mod names;
pub mod ids;
pub mod source;
pub mod address;
pub mod provider;
pub mod stage;
pub mod options;
pub mod plan;
pub mod variant;
pub mod generation;
pub mod budget;
pub mod page;
pub mod section;
pub mod citation;
pub mod evidence;
pub mod grading;
pub mod inspection;
pub mod user;
pub mod wire;
pub mod jobs;
pub mod db;
pub mod events;
pub mod settings;
pub mod writer_defaults;
pub mod telemetry;
pub mod os;
