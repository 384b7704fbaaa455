"use strict";
{
  const WIDTH = 320;
  const HEIGHT = 240;
  const QUALITY = 0.8;
  const by = (id) => document.getElementById(id);
  const { account, token } = by("check").dataset;
  const screen = by("screen");
  const camera = by("camera");
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const say = (text) => { by("status").textContent = text; };
  let stopped = false;

  // What is said stands in the page, in its reader's language.
  const words = Object.fromEntries([...by("words").children].map((one) => [one.dataset.name, one.textContent]));
  const filled = (name, values) => words[name].replace(/\{(\w+)\}/g, (_, place) => values[place]);

  class Refused extends Error {}

  const answered = async (path, body, type) => {
    const answer = await fetch(path, { method: "POST", body, headers: { "content-type": type } });
    const said = await answer.json();
    if (!answer.ok) throw new Refused(words[said.type.split(":").pop()] ?? said.title);
    return said;
  };
  const step = (more) => answered("/face/steps", JSON.stringify({ account, token, ...more }), "application/json");

  const painted = () => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
  const until = (time) => new Promise((done) => { setTimeout(done, Math.max(0, time - performance.now())); });

  const picture = () => {
    const scale = Math.max(WIDTH / camera.videoWidth, HEIGHT / camera.videoHeight);
    const [width, height] = [camera.videoWidth * scale, camera.videoHeight * scale];
    canvas.getContext("2d").drawImage(camera, (WIDTH - width) / 2, (HEIGHT - height) / 2, width, height);
    return new Promise((done) => { canvas.toBlob(done, "image/jpeg", QUALITY); });
  };

  const hex = async (blob) => {
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const framed = (pieces) => new Blob(pieces.flatMap((piece) => {
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, piece.size);
    return [length.buffer, piece];
  }));

  // One colour: show it, take its pictures, and name them before the next one is told.
  const shown = async (said, film) => {
    const { colour, word, hold_ms: hold, pictures, left } = said.told;
    screen.style.backgroundColor = `rgb(${colour.join(" ")})`;
    by("word").textContent = filled("left", { colour: words[word] ?? word, left });
    await painted();
    const began = performance.now();
    film.zero ??= began;
    const here = { shown_ms: [Math.floor(began - film.zero)], times_ms: [], digests: [] };
    for (let place = 1; place <= pictures; place += 1) {
      await until(began + (hold * place) / pictures);
      if (stopped) throw new Refused(words.stopped);
      const taken = performance.now();
      const blob = await picture();
      film.pictures.push(blob);
      here.times_ms.push(Math.floor(taken - film.zero));
      here.digests.push(await hex(blob));
    }
    film.shown.push(...here.shown_ms);
    film.times.push(...here.times_ms);
    return step({ ticket: said.ticket, ...here });
  };

  const sent = (said, film) => {
    const head = { account, token, ticket: said.ticket, shown_ms: film.shown, times_ms: film.times };
    const pieces = [new Blob([JSON.stringify(head)]), ...film.pictures];
    return answered("/face/pictures", framed(pieces), "application/octet-stream");
  };

  const told = (said) => {
    const { verdict, why, page } = said.told;
    if (said.wanted === "vendor") return page ? filled("there", { page }) : words.app;
    return words[verdict] ?? words[why] ?? words.failed;
  };

  const check = async () => {
    const film = { zero: null, shown: [], times: [], pictures: [] };
    let said = await step({ gentle: by("gentle").checked });
    if (said.wanted === "digests") {
      screen.hidden = false;
      while (said.wanted === "digests") said = await shown(said, film);
      screen.hidden = true;
      say(words.looking);
      said = await sent(said, film);
    }
    return told(said);
  };

  const start = async () => {
    by("start").disabled = true;
    stopped = false;
    let stream = null;
    say(words.asks);
    try {
      const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" }, audio: false };
      stream = await navigator.mediaDevices.getUserMedia(wanted);
      camera.srcObject = stream;
      await camera.play();
      say(words.hold);
      say(await check());
    } catch (error) {
      const why = error instanceof Refused ? error.message : words["no-camera"];
      say(filled("again", { why }));
    } finally {
      screen.hidden = true;
      for (const track of stream?.getTracks() ?? []) track.stop();
      camera.srcObject = null;
      by("start").disabled = false;
      by("start").focus();
    }
  };

  by("gentle").checked = matchMedia("(prefers-reduced-motion: reduce)").matches;
  by("start").addEventListener("click", start);
  addEventListener("keydown", (event) => { if (event.key === "Escape") stopped = true; });
}
