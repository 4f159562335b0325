//! Redis: one answer to any request.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::idle;

const WANTS_PASSWORD: &str = "-NOAUTH Authentication required.\r\n";

pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, answer: Option<&str>) -> io::Result<()> {
    if io.read(&mut [0; 4096]).await? == 0 {
        return Ok(());
    }
    io.write_all(answer.unwrap_or(WANTS_PASSWORD).as_bytes()).await?;
    io.flush().await?;
    idle(io).await
}
