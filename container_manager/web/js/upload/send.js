// An upload with progress: XMLHttpRequest tells how much has left, which fetch does not.

import { ApiError, errorFrom } from "../api.js";

/** POST `body` as a zip; tells `progress(sent, total)`. Resolves with the answer. A cut connection is tried once more. */
export async function sendZip(url, body, progress, signal) {
  try {
    return await sendOnce(url, body, progress, signal);
  } catch (error) {
    if (error.code !== "OFFLINE") throw error;
    return sendOnce(url, body, progress, signal);
  }
}

function sendOnce(url, body, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Content-Type", "application/zip");
    request.upload.onprogress = (event) => progress(event.loaded, event.total || body.size);
    request.onload = () =>
      request.status < 300 ? resolve(JSON.parse(request.responseText)) : reject(errorFrom(request.status, request.responseText));
    request.onerror = () => reject(new ApiError({ code: "OFFLINE", message: "The upload was cut off." }));
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}
