//! `docmill-launch`: what stands between a worker and every program that it starts; see `worker/src/launch.rs`.

fn main() {
    std::process::exit(worker::run_launcher())
}
