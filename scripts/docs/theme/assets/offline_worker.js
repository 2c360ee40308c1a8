// Browsers start no worker on a page that was opened from the disk. There an invisible frame does its work, so
// that the search works from file:// too. The theme asks for the name IFrameWorker.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.worker = this;
      frame.srcdoc =
        "<script>postMessage = (data) =>" +
        ' frameElement.worker.dispatchEvent(new parent.MessageEvent("message", { data }))</' +
        `script><script src="${new URL(url, location)}"></` + "script>";
      this.inside = new Promise((ready) => (frame.onload = () => ready(frame.contentWindow)));
      document.documentElement.append(frame);
    }
    postMessage(data) {
      this.inside.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data })));
    }
    terminate() {}
  };
}
// The search takes "-word" for "without word", and "--option" for an error: options are looked for without dashes.
const { postMessage } = Worker.prototype;
Worker.prototype.postMessage = function (message) {
  const plain = typeof message.data === "string" && { data: message.data.replace(/(^|\s)--+/g, "$1") };
  postMessage.call(this, { ...message, ...plain });
};
