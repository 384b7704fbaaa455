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

  const VERDICTS = {
    pass: "Your face check passed. Go back to your recovery.",
    fail: "The check did not pass. People will look at your recovery. Go back to it.",
    unsure: "People will compare the pictures. Go back to your recovery.",
  };
  const FAULTS = {
    no_reference: "There is no picture of you to compare with, or it is too new. Go on without the check.",
    no_face: "No face was seen. Sit so that your face is in the circle, and try again.",
    several_faces: "More than one face was seen. Be alone before the camera, and try again.",
    small: "Your face was too far away. Move closer, and try again.",
    blurred: "The pictures were blurred. Hold still or clean the camera, and try again.",
    dark: "It was too dark. Turn on a light, and try again.",
    bright: "It was too bright. Turn away from the light, and try again.",
    no_background: "Nothing could be seen beside your face. Move back a little, and try again.",
  };

  class Refused extends Error {}

  const answered = async (path, body, type) => {
    const answer = await fetch(path, { method: "POST", body, headers: { "content-type": type } });
    const said = await answer.json();
    if (!answer.ok) throw new Refused(said.title);
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
    by("word").textContent = `${word}, ${left} left`;
    await painted();
    const began = performance.now();
    film.zero ??= began;
    const here = { shown_ms: [Math.floor(began - film.zero)], times_ms: [], digests: [] };
    for (let place = 1; place <= pictures; place += 1) {
      await until(began + (hold * place) / pictures);
      if (stopped) throw new Refused("You stopped the check.");
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
    if (said.wanted === "vendor") return page ? `Go on at ${page}` : "Go on in the app that sent you here.";
    return VERDICTS[verdict] ?? FAULTS[why] ?? "The check could not be made. Try again, or go on without it.";
  };

  const check = async () => {
    const film = { zero: null, shown: [], times: [], pictures: [] };
    let said = await step({ gentle: by("gentle").checked });
    if (said.wanted === "digests") {
      screen.hidden = false;
      while (said.wanted === "digests") said = await shown(said, film);
      screen.hidden = true;
      say("Looking at the pictures ...");
      said = await sent(said, film);
    }
    return told(said);
  };

  const start = async () => {
    by("start").disabled = true;
    stopped = false;
    let stream = null;
    say("Your browser asks whether this page may use your camera.");
    try {
      const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" }, audio: false };
      stream = await navigator.mediaDevices.getUserMedia(wanted);
      camera.srcObject = stream;
      await camera.play();
      say("Look at the screen and hold still.");
      say(await check());
    } catch (error) {
      const why = error instanceof Refused ? error.message : "The camera cannot be used.";
      say(`${why} You can try again, or go on without the check.`);
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
