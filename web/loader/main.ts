export {};document.title+=''
