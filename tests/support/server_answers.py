"""What real servers answered when they refused a mail, word for word, and what each answer is about.

The addresses, hosts and ids in them are made up; the words are not. Where each was seen stands beside it: a repository
or an issue on GitHub, a provider's help page, or the source of the server.
"""

from typing import NamedTuple

from notifications.sending.faults import Fault, Step

CONNECT, HELLO, SENDER, RCPT, TEXT = Step.CONNECT, Step.HELLO, Step.SENDER, Step.RECIPIENT, Step.TEXT


class Answer(NamedTuple):
    step: Step
    code: int
    reply: str
    fault: Fault | None
    seen: str


NOT_OWNED = "5.7.1 <noreply@example.org>: Sender address rejected: not owned by user mailer@example.org"
GMAIL_UNAUTHENTICATED = """5.7.26 Your email has been blocked because the sender is unauthenticated.
5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.
5.7.26 DKIM = did not pass
5.7.26 SPF [example.org] with ip: [192.0.2.10] = did not pass"""
GMAIL_DMARC = """5.7.1 Unauthenticated email from mail.ru is not accepted due to domain's
5.7.1 DMARC policy. Please contact administrator of mail.ru domain if this
5.7.1 was a legitimate mail."""
GMAIL_QUOTA = """5.4.5 Daily user sending limit exceeded. For more information on Gmail
5.4.5 sending limits go to
5.4.5  https://support.google.com/a/answer/166852 d2e1a72fcca58 - gsmtp"""
GMAIL_NOBODY = """5.1.1 The email account that you tried to reach does not exist. Please try
5.1.1 double-checking the recipient's email address for typos or
5.1.1 unnecessary spaces."""
GMAIL_DISABLED = """5.2.1 The email account that you tried to reach is inactive. For more
5.2.1 information, go to https://support.google.com/mail/?p=DisabledUser"""
GMAIL_FULL = """5.2.2 The recipient's inbox is out of storage space and inactive. Please
5.2.2 direct the recipient to
5.2.2  https://support.google.com/mail/?p=OverQuotaPerm"""
GMAIL_SPAM = """5.7.1 [192.0.2.10      12] Gmail has detected that this message is likely
5.7.1 unsolicited mail. To reduce the amount of spam sent to Gmail, this
5.7.1 message has been blocked."""
GMAIL_PASSWORD = """5.7.9 Application-specific password required. For more information, go to
5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor d9443c01a7336 - gsmtp"""
GMAIL_RATE = (
    "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from "
    "being delivered. Please resend your message at a later time."
)
EXIM_SENDER = """Verification failed for <noreply@example.org>
Unrouteable address
Sender verify failed"""
MAILRU_NOBODY = (
    "Message was not accepted -- invalid mailbox.  Local mailbox parent@mail.ru is unavailable: user not found"
)
MAILRU_DISABLED = (
    "Message was not accepted -- invalid mailbox.  Local mailbox parent@mail.ru is unavailable: account is disabled"
)
MAILRU_ACCOUNT = (
    "Message was not accepted -- invalid mailbox. Local mailbox clinic@mail.ru is unavailable: message sending for "
    "this account is disabled: http://help.mail.ru/mail-help/postmaster/error"
)
MAILRU_SPAM = (
    "spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=fhtDsnELae77cN6t or  report details "
    "to abuse@corp.mail.ru. Error code: B2431B7EEE690B71."
)
MAILRU_DMARC = (
    "5.7.1 This message was not accepted due to domain owner DMARC policy (RFC 7489) "
    "https://help.mail.ru/mail-help/postmaster/dmarc"
)
OUTLOOK_BLOCKED = (
    "5.7.1 Unfortunately, messages from [192.0.2.10] weren't sent. Please contact your Internet service provider since "
    "part of their network is on our block list (S3150)."
)
OUTLOOK_IP = (
    "5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. For more information please go to "
    "https://go.microsoft.com/fwlink/?LinkID=526655 AS(7171)"
)
OUTLOOK_SPAMMER = (
    "5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message due to a permanent exception "
    "with message [BeginDiagnosticData]WASCL UserAction verdict is not None. Actual verdict is RefuseQuota."
)
OUTLOOK_AUTH = (
    "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
    "https://aka.ms/smtp_auth_disabled for more information."
)
OUTLOOK_SEND_AS = (
    "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message "
    "due to a permanent exception with message Cannot submit message"
)
HOSTFACTORY_LIMIT = (
    "5.7.0 Your message could not be sent. The limit on the number of allowed outgoing messages was exceeded. "
    "Try again later."
)
CPANEL_LIMIT = "Domain example.com has exceeded the max emails per hour (200/200 (100%)) allowed.  Message discarded."
SES_UNVERIFIED = (
    "Message rejected: Email address is not verified. The following identities failed the check in region US-EAST-1: "
    "noreply@example.org"
)
SPAMHAUS = "5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org"
CALLOUT_RBL = """"JunkMail rejected - ec2-192-0-2-10.example [192.0.2.10]:34032 is in an RBL, see
https://www.spamhaus.org/query/ip/192.0.2.10\""""
NICRU_SUPPORT = "nic.ru/help/mail-diagnostics-and-troubleshooting_14426.html"

ANSWERS = (
    # --- Yandex
    Answer(
        *(SENDER, 553, "5.7.1 Sender address rejected: not owned by auth user.", Fault.SENDER),
        "splitbrain/dokuwiki-plugin-smtp#38",
    ),
    Answer(TEXT, 554, "5.7.1 Message rejected under suspicion of SPAM; https://ya.cc/1IrBc", Fault.CONTENT, "nwsmtp"),
    Answer(RCPT, 550, "5.7.1 No such user!", Fault.RECIPIENT, "Yandex's own tests of nwsmtp"),
    Answer(RCPT, 550, "5.7.1 Policy rejection on the target address", Fault.RECIPIENT, "nwsmtp"),
    Answer(RCPT, 504, "5.5.2 Recipient address rejected: need fully-qualified address", Fault.RECIPIENT, "nwsmtp"),
    Answer(RCPT, 552, "5.2.2 Mailbox size limit exceeded", Fault.RECIPIENT, "Yandex's own tests of nwsmtp"),
    Answer(RCPT, 501, "5.1.3 Bad recipient address syntax", Fault.RECIPIENT, "Yandex's own tests of nwsmtp"),
    Answer(
        *(TEXT, 451, "4.7.1 Sorry, the service is currently unavailable. Please come back later.", None),
        "Yandex's own tests of nwsmtp",
    ),
    Answer(
        *(RCPT, 450, "4.2.1 The recipient has exceeded message rate limit. Try again later.", None),
        "oshibkis.ru/error-code-450",
    ),
    # --- Mail.ru
    Answer(SENDER, 550, "not local sender over smtp", Fault.SENDER, "mail.ru, in eight repositories"),
    Answer(TEXT, 550, MAILRU_NOBODY, Fault.RECIPIENT, "a Postfix log with mxs.mail.ru"),
    Answer(TEXT, 550, MAILRU_DISABLED, Fault.RECIPIENT, "a table of bounces"),
    Answer(TEXT, 550, MAILRU_ACCOUNT, Fault.ACCOUNT, "a report about a school project"),
    Answer(TEXT, 550, MAILRU_SPAM, Fault.CONTENT, "a Postfix log with mxs.mail.ru"),
    Answer(TEXT, 550, MAILRU_DMARC, Fault.DOMAIN, "viws.ru, lost messages"),
    Answer(
        *(TEXT, 451, "Ratelimit exceeded for mailbox clinic@mail.ru. Try again later.", Fault.QUOTA),
        "a mailer's own log of SMTPDataError",
    ),
    # --- The hosting nic.ru
    Answer(RCPT, 451, "domain.ru prohibited. Disk quota exceeded", None, NICRU_SUPPORT),
    Answer(RCPT, 451, "Please try another server", None, NICRU_SUPPORT),
    # --- Gmail, Google Workspace
    Answer(TEXT, 550, GMAIL_QUOTA, Fault.QUOTA, "onepub-dev/onepub#543"),
    Answer(
        TEXT, 550, "5.4.5 Daily user sending quota exceeded. o65sm25351206pga.71 - gsmtp", Fault.QUOTA, "gen_smtp#140"
    ),
    Answer(TEXT, 550, GMAIL_UNAUTHENTICATED, Fault.DOMAIN, "a report about gmail-smtp-in.l.google.com"),
    Answer(TEXT, 550, GMAIL_DMARC, Fault.DOMAIN, "viws.ru, lost messages"),
    Answer(RCPT, 550, GMAIL_NOBODY, Fault.RECIPIENT, "a bounce of aspmx.l.google.com"),
    Answer(RCPT, 550, GMAIL_DISABLED, Fault.RECIPIENT, "a bounce of 2024"),
    Answer(RCPT, 552, GMAIL_FULL, Fault.RECIPIENT, "a table of hard bounces"),
    Answer(TEXT, 550, GMAIL_SPAM, Fault.CONTENT, "a table of bounces"),
    Answer(Step.LOGIN, 534, GMAIL_PASSWORD, Fault.LOGIN, "a set-up guide"),
    Answer(RCPT, 450, GMAIL_RATE, None, "oshibkis.ru/error-code-450"),
    # --- Postfix
    Answer(RCPT, 553, NOT_OWNED, Fault.SENDER, "r-raymond/nixos-mailserver#9"),
    Answer(
        *(RCPT, 554, "5.7.1 <unknown[192.0.2.10]>: Client host rejected: Access denied", Fault.HOST),
        "mattermost/mattermost#1012",
    ),
    Answer(RCPT, 554, SPAMHAUS, Fault.HOST, "a Postfix log"),
    Answer(RCPT, 554, "5.7.1 <parent@example.net>: Relay access denied", Fault.RELAY, "Postfix, smtpd_check.c"),
    Answer(
        *(RCPT, 504, "5.5.2 <5c632f939fd4>: Helo command rejected: need fully-qualified hostname", Fault.NAME),
        "galexrt/container-healthchecks#7",
    ),
    Answer(
        RCPT,
        554,
        "5.7.1 <parent@gmail.com>: Recipient address rejected: Access denied",
        Fault.RECIPIENT,
        "rainloop#2018",
    ),
    Answer(
        *(RCPT, 450, "4.1.8 <noreply@example.org>: Sender address rejected: Domain not found", Fault.SENDER),
        "oshibkis.ru/error-code-450",
    ),
    Answer(
        *(RCPT, 554, "5.7.1 Recipient address rejected: Username admin@example.org and sender doesn't match"),
        *(Fault.SENDER, "mybb/mybb#2578"),
    ),
    Answer(
        *(RCPT, 550, "5.7.1 <webmail18.example.net[192.0.2.10]>: Client host rejected: Blacklisted user", Fault.HOST),
        "roundcube/roundcubemail#8103",
    ),
    Answer(TEXT, 550, "5.7.1 <DATA>: Data command rejected: only 10 messages per day", Fault.QUOTA, "root-io/vmail#67"),
    Answer(TEXT, 554, "5.7.1 Spam message rejected", Fault.CONTENT, "rspamd/rspamd#5343"),
    # --- Exim, cPanel
    Answer(RCPT, 550, EXIM_SENDER, Fault.SENDER, "a Dockerfile with exim4"),
    Answer(RCPT, 550, "relay not permitted", Fault.RELAY, "Exim's default configuration; reg.ru's help names it"),
    Answer(RCPT, 550, CPANEL_LIMIT, Fault.QUOTA, "a test of a mailer"),
    Answer(CONNECT, 550, CALLOUT_RBL, Fault.HOST, "getconversio/email-deep-validator#9"),
    # --- Exchange, Outlook
    Answer(
        SENDER, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", Fault.SENDER, "Exchange"
    ),
    Answer(TEXT, 554, OUTLOOK_SEND_AS, Fault.SENDER, "a question about Laravel and Office 365"),
    Answer(TEXT, 550, "5.1.8 Access denied, bad outbound sender AS(42004)", Fault.ACCOUNT, "University of Idaho, 2233"),
    Answer(TEXT, 554, OUTLOOK_SPAMMER, Fault.ACCOUNT, "a log of smtplib.SMTPDataError"),
    Answer(TEXT, 550, OUTLOOK_IP, Fault.HOST, "a page about Microsoft 365"),
    Answer(SENDER, 550, OUTLOOK_BLOCKED, Fault.HOST, "a Postfix log with hotmail-com.olc.protection.outlook.com"),
    Answer(RCPT, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Fault.RELAY, "Exchange"),
    Answer(RCPT, 550, "5.7.64 TenantAttribution; Relay Access Denied", Fault.RELAY, "a table of bounces"),
    Answer(
        RCPT, 550, "5.4.1 Recipient address rejected: Access denied. AS(201806281)", Fault.RECIPIENT, "emailpyspam#23"
    ),
    Answer(
        *(RCPT, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
        *(Fault.RECIPIENT, "a kernel developer's bounce"),
    ),
    Answer(
        *(RCPT, 550, "5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", Fault.RECIPIENT),
        "a check of hotmail-com.olc.protection.outlook.com",
    ),
    Answer(
        *(
            SENDER,
            530,
            "5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
            Fault.LOGIN,
        ),
        "a question about System.Net.Mail",
    ),
    Answer(Step.LOGIN, 535, OUTLOOK_AUTH, Fault.LOGIN, "a test of a mail client"),
    # --- Sendmail
    Answer(
        *(RCPT, 550, "5.7.1 <parent@example.net>... Relaying denied. Proper authentication required.", Fault.RELAY),
        "sendmail's proto.m4",
    ),
    Answer(
        *(RCPT, 553, "5.1.8 parent@gmail.com... Domain of sender address server1@mydomain.example does not exist"),
        *(Fault.SENDER, "a question about sendmail"),
    ),
    # --- Yahoo, Amazon, others
    Answer(
        *(
            RCPT,
            554,
            "delivery error: dd This user doesn't have a yahoo.com account (p@yahoo.com) [0]",
            Fault.RECIPIENT,
        ),
        "a bounce of mta1543.mail.ne1.yahoo.com",
    ),
    Answer(TEXT, 554, "5.7.9 Message not accepted for policy reasons.", Fault.DOMAIN, "a bounce of yahoodns.net"),
    Answer(
        *(SENDER, 553, "5.7.2 [TSS09] All messages from 192.0.2.25 will be permanently deferred", Fault.HOST),
        "Yahoo, in a table of bounces",
    ),
    Answer(TEXT, 554, SES_UNVERIFIED, Fault.SENDER, "Amazon SES, a recorded answer"),
    Answer(TEXT, 554, HOSTFACTORY_LIMIT, Fault.QUOTA, "zotonic/zotonic#3508"),
    Answer(SENDER, 550, "Incorrect sender header (LOCAL)", Fault.SENDER, "roundcube/roundcubemail#6572"),
    Answer(TEXT, 550, "5.7.1 [BFD] Sender prohibited by SPF", Fault.SENDER, "justingit/dada-mail#717"),
    Answer(
        *(TEXT, 550, "5.7.0 [SPF] 192.0.2.10 is not allowed to send mail from example.org", Fault.DOMAIN),
        "poczta.interia.pl, its help",
    ),
    Answer(RCPT, 553, "Sorry, this domain is not in my list of allowed hosts (#5.7.1)", Fault.RELAY, "qmail, viws.ru"),
    Answer(SENDER, 550, "5.1.0 <noreply@example.org> sender rejected", Fault.SENDER, "support.konto.pl/kb/a2164"),
    Answer(
        *(RCPT, 554, "5.7.1 Your mail could not be delivered because the recipient is only accepting mail from"),
        *(Fault.RECIPIENT, "a table of bounces"),
    ),
)


class ApiAnswer(NamedTuple):
    provider: str
    status: int
    body: object
    is_ours: bool
    seen: str


API_ANSWERS = (
    ApiAnswer(
        *("resend", 403),
        {
            "statusCode": 403,
            "name": "validation_error",
            "message": "The example.org domain is not verified. Please, add and verify your domain on "
            "https://resend.com/domains",
        },
        *(True, "recorded by a dozen repositories"),
    ),
    ApiAnswer(
        "resend", 401, {"name": "missing_api_key", "message": "Missing API Key"}, True, "resend.com/docs, errors"
    ),
    ApiAnswer(
        "resend", 400, {"name": "validation_error", "message": "API key is invalid"}, True, "resend.com/docs, errors"
    ),
    ApiAnswer(
        *("resend", 401, {"name": "restricted_api_key", "message": "This API key is restricted to only send emails."}),
        *(True, "resend.com/docs, errors"),
    ),
    ApiAnswer(
        *("sendgrid", 403),
        {
            "errors": [
                {
                    "message": "The from address does not match a verified Sender Identity. Mail cannot be sent until "
                    "this error is resolved.",
                    "field": "from",
                }
            ]
        },
        *(True, "SendGrid's documentation"),
    ),
    ApiAnswer(
        *("sendgrid", 400),
        {"errors": [{"message": "The from address does not match a verified Sender Identity", "field": "from.email"}]},
        *(True, "a test of a mailer"),
    ),
    ApiAnswer("sendgrid", 401, {"errors": [{"message": "Maximum credits exceeded"}]}, True, "a mailer's own account"),
    ApiAnswer(
        *("sendgrid", 400),
        {"errors": [{"message": "Does not contain a valid address.", "field": "personalizations.0.to.0.email"}]},
        *(False, "SendGrid's documentation"),
    ),
)
