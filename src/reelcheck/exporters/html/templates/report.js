"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const video = byId("video"), timeline = byId("timeline"), cursor = byId("cursor");
  const needle = byId("needle"), now = byId("now");
  const duration = Number(timeline.dataset.duration) || 1;

  const clock = (seconds) => {
    const whole = Math.floor(seconds), minutes = Math.floor(whole / 60);
    const rest = String(whole % 60).padStart(2, "0");
    return `${minutes}:${rest}.${String(Math.floor((seconds % 1) * 1000)).padStart(3, "0")}`;
  };
  const point = (seconds) => {
    const share = Math.min(1, Math.max(0, seconds / duration)) * 100;
    needle.setAttribute("x1", `${share}%`);
    needle.setAttribute("x2", `${share}%`);
    now.setAttribute("x", `${share}%`);
    now.textContent = clock(seconds);
    cursor.classList.add("on");
  };
  const seek = (seconds) => {
    point(seconds);
    if (!video.hidden) video.currentTime = seconds;
  };
  const play = (url) => {
    video.src = url;
    video.hidden = false;
    byId("sorry").hidden = true;
    video.load();
  };

  document.addEventListener("click", (event) => {
    const evidence = event.target.closest(".evidence");
    if (evidence && evidence.classList.contains("sensitive")) {
      evidence.classList.remove("sensitive");
      return;
    }
    const target = event.target.closest("[data-at]");
    if (target) seek(Number(target.dataset.at));
  });
  timeline.addEventListener("mousemove", (event) => {
    const box = cursor.getBoundingClientRect();
    if (event.clientX >= box.left) point(((event.clientX - box.left) / box.width) * duration);
  });
  byId("open").addEventListener("click", (event) => {
    const path = event.target.dataset.path;
    const absolute = path.startsWith("/");
    const url = absolute ? `file://${path.split("/").map(encodeURIComponent).join("/")}`
      : encodeURIComponent(path.split("/").pop());
    play(url);
  });
  byId("file").addEventListener("change", (event) => {
    if (event.target.files.length) play(URL.createObjectURL(event.target.files[0]));
  });
  video.addEventListener("error", () => {
    video.hidden = true;
    byId("sorry").hidden = false;
  });
  video.addEventListener("timeupdate", () => point(video.currentTime));
})();
