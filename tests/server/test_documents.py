"""Documents, images and links, in memory."""

from __future__ import annotations

import json
import re
import struct
import zlib
from html.parser import HTMLParser
from xml.etree import ElementTree

from tests.server.every_channel import EveryChannelCase

KINDS = {
    "/image/jpeg": "image/jpeg",
    "/image/png": "image/png",
    "/image/svg": "image/svg+xml",
    "/image/webp": "image/webp",
}


class DocumentTests(EveryChannelCase):
    def document(self, path: str, kind: str) -> str:
        reply = self.ask(path)
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, kind))
        self.assertEqual(reply.headers["content-security-policy"], "sandbox")
        return reply.body.decode()

    def test_html(self) -> None:
        page = self.document("/html", "text/html; charset=utf-8")
        self.assertIn("<h1>Herman Melville - Moby-Dick</h1>", page)

    def test_json_and_xml_are_the_same_slides(self) -> None:
        slides = json.loads(self.document("/json", "application/json"))["slideshow"]
        root = ElementTree.fromstring(self.document("/xml", "application/xml"))
        self.assertEqual(root.tag, "slideshow")
        self.assertEqual(
            root.attrib, {n: slides[n] for n in ("title", "date", "author")}
        )
        for told, slide in zip(slides["slides"], root, strict=True):
            self.assertEqual(slide.get("type"), told["type"])
            self.assertEqual(slide.findtext("title"), told["title"])
            items = [
                ElementTree.tostring(item, "unicode").strip() for item in slide[1:]
            ]
            for item in told.get("items", ()):
                self.assertIn(f"<item>{item}</item>", items)

    def test_for_robots(self) -> None:
        kind = "text/plain; charset=utf-8"
        lines = self.document("/robots.txt", kind).splitlines()
        self.assertEqual(lines, ["User-agent: *", "Disallow: /deny"])
        self.assertIn("YOU SHOULDN'T BE HERE", self.document("/deny", kind))

    def test_utf8(self) -> None:
        page = self.document("/encoding/utf8", "text/html; charset=utf-8")
        lengths = {len(character.encode()) for character in page}
        self.assertEqual(lengths, {1, 2, 3, 4})

    def test_a_form(self) -> None:
        page = self.document("/forms/post", "text/html; charset=utf-8")
        self.assertIn('<form method="post" action="/post">', page)
        names = {*re.findall(' name="([^"]+)"', page)}
        expected = {"comments", "custemail", "custname", "custtel", "delivery", "size"}
        self.assertEqual(names, {*expected, "topping"})

    def test_by_another_spelling_of_the_path(self) -> None:
        self.assertEqual(self.ask("/%68tml").status, 200)


class ImageTests(EveryChannelCase):
    def image(self, path: str, *headers: str) -> tuple[bytes, str]:
        reply = self.ask(path, *headers)
        self.assertEqual(reply.status, 200)
        return reply.body, reply.headers["content-type"]

    def test_all_are_of_one_size(self) -> None:
        size = (240, 160)
        png, _ = self.image("/image/png")
        self.assertEqual(png[:16], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        self.assertEqual(struct.unpack(">II", png[16:24]), size)
        self.assertEqual(struct.unpack(">I", png[29:33])[0], zlib.crc32(png[12:29]))
        jpeg, _ = self.image("/image/jpeg")
        frame = jpeg.index(b"\xff\xc0")
        self.assertTrue(jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9"))
        self.assertEqual(struct.unpack(">HH", jpeg[frame + 5 : frame + 9])[::-1], size)
        webp, _ = self.image("/image/webp")
        self.assertEqual(webp[:4] + webp[8:16], b"RIFFWEBPVP8L")
        self.assertEqual(struct.unpack("<I", webp[4:8])[0], len(webp) - 8)
        (bits,) = struct.unpack("<I", webp[21:25])
        self.assertEqual((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), size)
        svg = ElementTree.fromstring(self.image("/image/svg")[0])
        self.assertEqual((svg.get("width"), svg.get("height")), ("240", "160"))

    def test_their_types(self) -> None:
        for path, kind in KINDS.items():
            self.assertEqual(self.image(path)[1], kind)
        self.assertEqual(self.ask("/image/gif").status, 404)

    def test_the_type_that_is_accepted(self) -> None:
        for accept, kind in [
            ("image/webp", "image/webp"),
            ("image/svg+xml", "image/svg+xml"),
            ("image/jpeg", "image/jpeg"),
            ("IMAGE/PNG", "image/png"),
            ("image/*", "image/png"),
            ("*/*", "image/png"),
            ("text/html, */*;q=0.1", "image/png"),
            # Chromium and Firefox.
            ("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "image/webp"),
            ("image/avif,image/webp,image/png,image/*;q=0.8", "image/webp"),
            ("image/png;q=0.1, image/jpeg;q=0.2", "image/jpeg"),
            ("image/*, image/png;q=0", "image/webp"),
            ("a/b, " * 500, "image/png"),
        ]:
            found = self.image("/image", f"Accept: {accept}")
            self.assertEqual(found[1], kind, accept)
            suffix = kind.removeprefix("image/").removesuffix("+xml")
            self.assertEqual(found[0], self.image(f"/image/{suffix}")[0])
        self.assertEqual(self.image("/image")[1], "image/png")
        self.assertEqual(self.ask("/image").headers["vary"], "Accept")

    def test_no_type_that_is_accepted(self) -> None:
        for accept in ["text/html", "image/gif", "image/*;q=0", "\xff", ",,"]:
            reply = self.ask("/image", f"Accept: {accept}")
            self.assertEqual(reply.status, 406, accept)
            self.assertIn("image/svg+xml", reply.json()["expected"])


class _Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href"]


class LinksTests(EveryChannelCase):
    def test_to_the_other_pages(self) -> None:
        page = self.ask("/links/3/1").body.decode()
        self.assertEqual(_Links(page).found, ["/links/3/0", "/links/3/2"])
        self.assertIn("</a> 1 <a", page)
        self.assertEqual(_Links(self.ask("/links/1/0").body.decode()).found, [])
        self.assertEqual(len(_Links(self.ask("/links/256/9").body.decode()).found), 255)

    def test_the_first_page(self) -> None:
        reply = self.ask("/links/10")
        self.assertEqual(
            (reply.status, reply.headers["location"]), (302, "/links/10/0")
        )

    def test_numbers(self) -> None:
        for target, control in [
            ("/links/0", "n"),
            ("/links/100000", "n"),
            ("/links/-1", "n"),
            ("/links/x/0", "n"),
            ("/links/3/3", "offset"),
            ("/links/3/-1", "offset"),
            (f"/links/3/{'9' * 5000}", "offset"),
        ]:
            reply = self.ask(target)
            self.assertEqual((reply.status, reply.json()["control"]), (400, control))
