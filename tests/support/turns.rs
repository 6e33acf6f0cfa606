//! One address in front of several processes: every new connection goes to the next of them, as a load balancer would do it.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The address; dropping it closes it.
pub(crate) struct Turns {
    pub(crate) address: String,
    running: JoinHandle<()>,
}

impl Turns {
    /// Listens on a free port.
    pub(crate) async fn start(processes: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let running = tokio::spawn(async move {
            for process in processes.iter().cycle() {
                let Ok((mut client, _)) = listener.accept().await else { return };
                let process = process.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(process).await.unwrap();
                    // either side may break off
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, running }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.running.abort();
    }
}
