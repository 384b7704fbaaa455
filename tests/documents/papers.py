"""Papers for the tests: a throw-away authority, and PDFs signed with its certificates."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

from asn1crypto import keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.generic import StreamObject, pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf
from pyhanko_certvalidator.registry import SimpleCertificateStore

if TYPE_CHECKING:
    from holdback.core.events import Instant

TODAY: Final = datetime.now(UTC).replace(microsecond=0)
NOW: Final[Instant] = int(TODAY.timestamp() * 1000)
DAY: Final = timedelta(days=1)
COURT: Final = "District Court of Example"
CLERK: Final = "Dana Clerk"
ORDER: Final = b"BT /F1 12 Tf 72 700 Td (Disclose the account of customer 1042) Tj ET"


class Authority(NamedTuple):
    """A root's key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The root as an operator would be given it."""
        return self.certificate.public_bytes(Encoding.PEM)


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Hand(NamedTuple):
    """A signer's key and certificate, with the root that issued it."""

    key: Key
    certificate: x509.Certificate
    root: x509.Certificate
    pss: bool = False

    @property
    def signer(self) -> SimpleSigner:
        """The same for pyHanko."""
        secret = self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        chain = SimpleCertificateStore()
        chain.register(asn1.Certificate.load(self.root.public_bytes(Encoding.DER)))
        return SimpleSigner(
            signing_cert=asn1.Certificate.load(self.certificate.public_bytes(Encoding.DER)),
            signing_key=keys.PrivateKeyInfo.load(secret),
            cert_registry=chain,
            prefer_pss=self.pss,
        )


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def authority(name: str = COURT) -> Authority:
    """A new root."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(name))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(TODAY - 900 * DAY)
        .not_valid_after(TODAY + 900 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


def hand(  # noqa: PLR0913 - each is what one test is about
    by: Authority,
    *,
    name: str = CLERK,
    since: datetime = TODAY - 365 * DAY,
    until: datetime = TODAY + 90 * DAY,
    signs: bool = True,
    key: Key | None = None,
    pss: bool = False,
) -> Hand:
    """A signer whom a root vouches for; unless `signs`, for keeping connections and not for signing papers."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(0x1042)
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(papers=signs), critical=True)
        .sign(by.key, hashes.SHA256())
    )
    return Hand(key, certificate, by.certificate, pss)


def _usage(*, certificates: bool = False, papers: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=papers,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def blank(words: bytes = ORDER, *, stream_xrefs: bool = True) -> bytes:
    """A paper of one page that nobody has signed."""
    writer = PdfFileWriter(stream_xrefs=stream_xrefs)
    contents = writer.add_object(StreamObject(stream_data=words))
    writer.insert_page(PageObject(contents=contents, media_box=(0, 0, 595, 842)))
    return _written(writer)


def encrypted(words: bytes = ORDER) -> bytes:
    """A paper that opens with a password."""
    writer = PdfFileWriter()
    writer.insert_page(
        PageObject(contents=writer.add_object(StreamObject(stream_data=words)), media_box=(0, 0, 595, 842))
    )
    writer.encrypt(owner_pass="a password", user_pass="another")
    return _written(writer)


def signed(paper: bytes, by: Hand, *, field: str = "Court", digest: str = "sha256") -> bytes:
    """A paper signed as PAdES wants it (ETSI EN 319 142)."""
    about = PdfSignatureMetadata(field_name=field, md_algorithm=digest, subfilter=SigSeedSubFilter.PADES)
    # It runs a loop of its own, which a thread with a running one cannot.
    with ThreadPoolExecutor(1) as apart:
        made = apart.submit(sign_pdf, IncrementalPdfFileWriter(BytesIO(paper)), about, signer=by.signer).result()
    return bytes(made.getvalue())


def updated(paper: bytes, words: bytes = b"BT (and of everybody else) Tj ET") -> bytes:
    """A paper to which somebody added an update, as PDF lets anybody do without touching what was there."""
    writer = IncrementalPdfFileWriter(BytesIO(paper))
    page = writer.root["/Pages"]["/Kids"][0]
    page[pdf_name("/Contents")] = writer.add_object(StreamObject(stream_data=words))
    writer.update_container(page)
    return _written(writer)


def _written(writer: PdfFileWriter | IncrementalPdfFileWriter) -> bytes:
    out = BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]  # of a base class that says nothing
    return out.getvalue()


def wrapped(paper: bytes, words: bytes = b"BT (Disclose everybody) Tj ET") -> bytes:
    """Another paper built behind the signed bytes of a true one, so that the lengths its signature names add up.

    The signed bytes stand in front as they were signed, without the hole. All that follows is new, and as long as the
    hole of a signature padded with zeros would be, which is written as a plain string and leaves half of that room.
    """
    before = paper.index(b"/Contents <") + len(b"/Contents ")
    after = paper.index(b">", before) + 1
    front = paper[:before] + paper[after:]
    cms = bytes.fromhex(paper[before + 1 : after - 1].decode()) + bytes(2000)
    room = 2 * len(cms) + 2
    literal = re.sub(rb"[()\\\r\n]", lambda found: b"\\%03o" % found[0][0], cms)
    objects = (
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]/SigFlags 3>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(words), words),
        b"<</FT/Sig/T(Court)/V 6 0 R>>",
        b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 %d 0 0]/Contents(%b)>>"
        % (len(front), literal),
    )
    made, places = front + b"\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table = b"xref\n0 7\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<</Size 7/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    filling = len(front) + room - 1 - len(made) - len(table) - len(end % (len(front) + room))
    made += b"%" * filling + b"\n"
    return made + table + end % len(made)


def stream(paper: bytes) -> BytesIO:
    """A paper as pyHanko reads it."""
    return BytesIO(paper)
