"""Debian's own mail servers, in a folder of their own, on ports that nobody else has.

postfix takes mails by SMTP and gives them to dovecot, which shows them by IMAP. What no mailbox
takes comes back as a report of postfix's own making; nothing leaves the machine.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.channels.mail.devel import ANN, PASSWORD, MailDevel
from tests.channels.mail.factories import OURS
from tests.journeys.processes import free_port
from tests.waiting import wait_until

PROGRAMS = ("postfix", "dovecot", "doveadm")
MAIN = """\
compatibility_level = 3.6
queue_directory = {base}/spool
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.acme.example.com
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
local_transport = error:no local delivery
virtual_mailbox_domains = acme.example.com, example.com
virtual_mailbox_maps = texthash:{base}/etc/mailboxes
virtual_transport = lmtp:unix:{base}/run/lmtp
recipient_delimiter = +
relay_domains =
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_reject_unlisted_recipient = no
default_transport = error:5.1.2 no such domain here
relay_transport = error:no relay
maillog_file = {base}/postfix.log
maillog_file_prefixes = /var, {base}
bounce_queue_lifetime = 0
message_size_limit = 30000000
virtual_mailbox_limit = 0
biff = no
"""
MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
virtual   unix - n n - - virtual
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
"""
DOVECOT = """\
protocols = imap lmtp
base_dir = {base}/run
state_dir = {base}/run
instance_name = salesflow-test
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = {base}/dovecot.log
mail_location = maildir:{base}/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
auth_mechanisms = plain login
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
postmaster_address = postmaster@acme.example.com
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/etc/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={base}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


def why_not() -> str:
    """Why these servers cannot be started here; empty: they can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=_path())]
    if missing:
        return f"needs Debian's postfix, dovecot-imapd and dovecot-lmtpd: no {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "postfix is started by root alone"


@dataclass(frozen=True)
class Debian:
    """The running servers."""

    base: Path
    ports: MailDevel


@contextmanager
def debian_servers() -> Iterator[Debian]:
    """postfix and dovecot with a mailbox for us and one for Ann."""
    # Not below pytest's folder, which nobody else may enter; and a socket's path is short.
    base = Path(tempfile.mkdtemp(prefix="mail-", dir="/var/tmp"))
    ports = MailDevel(smtp=free_port(), imap=free_port())
    try:
        _configure(base, ports)
        _run("dovecot", "-c", f"{base}/etc/dovecot.conf")
        _run("postfix", "-c", f"{base}/etc", "start")
        yield Debian(base, ports)
    finally:
        _run("postfix", "-c", f"{base}/etc", "stop", check=False)
        _run("doveadm", "-c", f"{base}/etc/dovecot.conf", "stop", check=False)
        wait_until(lambda: not (base / "run/master.pid").exists(), "dovecot has stopped")
        shutil.rmtree(base, ignore_errors=True)


def _configure(base: Path, ports: MailDevel) -> None:
    base.chmod(0o755)
    for name in ("etc", "spool", "data", "run", "mail"):
        (base / name).mkdir(mode=0o755)
    shutil.chown(base / "data", "postfix")
    shutil.chown(base / "mail", "mail", "mail")
    given = {"base": base, "smtp": ports.smtp, "imap": ports.imap}
    (base / "etc/main.cf").write_text(MAIN.format(**given))
    (base / "etc/master.cf").write_text(MASTER.format(**given))
    (base / "etc/dovecot.conf").write_text(DOVECOT.format(**given))
    people = (OURS, ANN)
    (base / "etc/mailboxes").write_text("".join(f"{each} x\n" for each in people))
    (base / "etc/users").write_text(
        "".join(f"{each}:{{PLAIN}}{PASSWORD}::::::\n" for each in people)
    )


def _run(*command: str, check: bool = True) -> None:
    environment = {**os.environ, "PATH": _path()}
    # A file: the servers keep what they are given open, and a pipe would never end.
    with tempfile.TemporaryFile("w+") as told:
        done = subprocess.run(command, env=environment, stdout=told, stderr=told, timeout=60)
        told.seek(0)
        assert not check or done.returncode == 0, f"{command}: {told.read()}"


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
