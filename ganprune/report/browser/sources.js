// Where pictures come from besides a file: the camera, and the frames of a video.
let stream = null;

export async function openCamera(preview) {
  stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
  preview.srcObject = stream;
  await preview.play();
}

export function closeCamera(preview) {
  for (const track of stream?.getTracks() ?? []) track.stop();
  preview.srcObject = stream = null;
}

export async function openVideo(blob) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, preload: "auto", src: URL.createObjectURL(blob) });
  await new Promise((resolve, reject) => {
    video.onloadeddata = resolve;
    video.onerror = () => reject(new Error("That is no video this browser can read."));
  });
  if (!Number.isFinite(video.duration)) { // files that were recorded in a browser do not say it: look for the end
    await seek(video, 1e9);
  }
  return video;
}

export async function* frames(video, rate, number) { // pictures of a video, in order
  for (let i = 0; i < number; i++) {
    await seek(video, Math.min((i + 0.5) / rate, video.duration)); // the middle, away from where frames change
    yield await createImageBitmap(video);
  }
  URL.revokeObjectURL(video.src);
}

function seek(video, time) {
  return new Promise((resolve, reject) => {
    video.onseeked = resolve;
    video.onerror = () => reject(new Error("The video is damaged."));
    video.currentTime = time;
  });
}
