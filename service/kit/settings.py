"""What an operator may set, all by environment variables that start with LINLI_."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent.parent


class Settings(BaseSettings):
    """Read once at start and handed to whoever needs it; business code never sees it."""

    model_config = SettingsConfigDict(env_prefix="LINLI_", extra="ignore")

    database_url: str | None = None
    """PostgreSQL for the serving role; unset means the embedded server."""
    owner_url: str | None = None
    """The same database for the role that migrates; needed only where database_url is set."""
    data_dir: Annotated[Path, Field(description="Everything of the embedded server, uploads and logs.")] = (
        ROOT / "var" / "data"
    )
    keys_dir: Annotated[
        Path, Field(description="Encryption keys: outside the data folder, so that a backup never holds both.")
    ] = ROOT / "var" / "keys"
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str | None = None
    """The address people open, e.g. https://linli.example.org; QR codes carry it and cookies become Secure."""
    trusted_proxies: str = ""
    """Comma-separated addresses whose X-Forwarded-* headers are believed."""
    pool_size: int = 12
    pgbouncer: bool = False
    """True when database_url leads to a transaction pooler: no prepared statements are kept."""
    direct_url: str | None = None
    """The same database for the same role past the pooler, for what outlives a transaction: the queue and the commands."""
    body_limit_bytes: int = 6_000_000
    session_requests_per_minute: Annotated[int, Field(ge=0)] = 600
    """So many requests one signed-in session may make at once, and then so many a minute; 0 for no limit."""
    address_requests_per_minute: Annotated[int, Field(ge=0)] = 3_000
    """The same for everybody at one address who is not signed in: a whole hall of people may share one."""
    log: Literal["stderr", "file"] | None = None
    """Where the server's log goes; unset: `linli run` keeps it in the data folder, everything else says it to standard error."""
    read_only: bool = False
    """True lets this process read only, for incidents and for moving house; `linli read-only` says it to all of them."""
    worker: bool = True
    """False when another process delivers facts and timed jobs."""

    @property
    def seal_copies(self) -> Path:
        """Published seals of the books: beside the keys, because whoever owns the database must not own them."""
        return self.keys_dir / "seals"

    @property
    def origin(self) -> str:
        """Scheme, host and port that links and QR codes begin with, without a closing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def log_file(self) -> Path:
        """The server's log, when it goes to a file."""
        return self.data_dir / "logs" / "linli.log"

    @property
    def is_secure(self) -> bool:
        """True when people reach us by HTTPS, so that cookies may demand it."""
        return self.origin.startswith("https://")
