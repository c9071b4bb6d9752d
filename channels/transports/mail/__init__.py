"""E-mail: SMTP out, IMAP in.

Out: `building` writes the mail, `sending` hands it to a server. In: `channels.mailboxes` fetches
mails through `mailbox` and stores them byte for byte; `reading` makes facts of them, with
`headers`, `charsets` and `parts` for what stands in a mail, `classifying`, `bounces` and `absences`
for what no person wrote, `quoting` for what it answers, `matching` for what our tables know.
"""

from channels.transports.mail.settings import MailSettings
from channels.transports.mail.transport import MailTransport

__all__ = ["MailSettings", "MailTransport"]
