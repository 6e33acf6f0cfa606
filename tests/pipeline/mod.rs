//! From a request to a site, through the queue and all stages.

mod publishing;
mod citations;
mod failures;
mod resuming;
mod incremental;
mod accounting;
mod budgets;
mod slots;
mod replay;
mod aborting;
mod taking_over;
mod gate;
mod steering;
mod steering_hostile;
mod hostile;
mod real_command_lines;
