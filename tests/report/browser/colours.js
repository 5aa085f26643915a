// Colours of a picture at some fractions of its size.
async ([data, places]) => {
  const image = new Image(); image.src = "data:image/png;base64," + data; await image.decode();
  const canvas = document.createElement("canvas"); canvas.width = image.width; canvas.height = image.height;
  const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
  return places.map(([x, y]) => [...context.getImageData(x * image.width, y * image.height, 1, 1).data].slice(0, 3));
}
